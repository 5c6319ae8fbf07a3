"""Streams that are aborted leave nothing behind, and the garbage collector, which is off, has no part in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from .asgi_hosts import each_host
from .harness import MIB, Client, Subject

AT_ONCE = 20
POOL = 32  # idle threads that the library keeps

ABORTED = list(itertools.product(["fast", "rows", "ticking", "idle"], ["async", "sync"]))


def _abort(subject: Subject, count: int) -> None:
    """Open streams of every kind, some at a time, and leave them, by RST and by FIN."""
    subject.probe.reset()
    kinds: Iterator[tuple[str, str]] = itertools.cycle(ABORTED)
    leave: Iterator[Callable[[Client], float]] = itertools.cycle([Client.reset, Client.reset, Client.finish])
    for opened in range(AT_ONCE, count + 1, AT_ONCE):
        clients = [subject.stream(*next(kinds)) for _ in range(AT_ONCE)]
        for client in clients:
            client.read_until(b"\r\n\r\n")
        for client in clients:
            next(leave)(client)
        subject.probe.release()
        subject.probe.wait_all_closed(opened)


@each_host
@pytest.mark.parametrize("count", [60, pytest.param(500, marks=pytest.mark.soak)])
def test_aborted_streams_are_closed_and_leave_nothing(
    subject: Subject, count: int, record_property: Callable[[str, object], None]
) -> None:
    _abort(subject, AT_ONCE)  # what the server and the pool keep for later
    subject.hello()
    before = subject.wait_settled(subject.probe.measure(), more_threads=0)
    _abort(subject, count)
    after = subject.wait_settled(before, more_threads=POOL)
    assert after.tasks <= before.tasks
    assert after.fds <= before.fds
    assert after.threads <= before.threads + POOL
    record_property("RSS gained, MiB", (after.rss - before.rss) / MIB)
    subject.hello()
