"""Streams that are aborted leave nothing behind, and the garbage collector, which is off, has no part in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from .harness import MIB, Client, Subject
from .wsgi_hosts import each_host_either_way

AT_ONCE = 10
POOL = 32  # idle threads that the library keeps
KINDS = [("fast", "unlimited"), ("ticking", "keepalive"), ("idle", "unlimited")]


def _abort(subject: Subject, way: str, count: int) -> None:
    """Open streams of every kind, some at a time, and leave them, by RST and by FIN."""
    subject.probe.reset()
    kinds: Iterator[tuple[str, str]] = itertools.cycle(KINDS)
    leave: Iterator[Callable[[Client], float]] = itertools.cycle([Client.reset, Client.reset, Client.finish])
    for opened in range(AT_ONCE, count + 1, AT_ONCE):
        started = [
            (name, subject.stream(name, way, options)) for name, options in (next(kinds) for _ in range(AT_ONCE))
        ]
        for _, client in started:
            client.read_until(b"\r\n\r\n")
        for _, client in started:
            next(leave)(client)
        subject.probe.release()
        subject.probe.wait_all_closed(opened)


@each_host_either_way
@pytest.mark.parametrize("count", [60, pytest.param(500, marks=pytest.mark.soak)])
def test_aborted_streams_are_closed_and_leave_nothing(
    subject: Subject, way: str, count: int, record_property: Callable[[str, object], None]
) -> None:
    _abort(subject, way, 4 * AT_ONCE)  # what the server and the pool keep for later
    subject.hello()
    before = subject.wait_settled(subject.probe.measure(), more_threads=0)
    _abort(subject, way, count)
    after = subject.wait_settled(before, more_threads=POOL)
    assert after.fds <= before.fds
    assert after.threads <= before.threads + POOL
    record_property("RSS gained, MiB", (after.rss - before.rss) / MIB)
    subject.hello()
