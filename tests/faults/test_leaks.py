"""Streams that are aborted leave nothing behind, and the garbage collector, which is off, has no part in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from .client import Client
from .harness import Host, Subject
from .hosts import ASGI, BY_DEFAULT, HOSTS, on

AT_ONCE = 50
POOL = 32  # idle threads that the library keeps
KINDS = [("fast", "unlimited"), ("rows", "unlimited"), ("ticking", "keepalive"), ("idle", "unlimited")]


def _abort(subject: Subject, host: Host, way: str, count: int) -> None:
    """Open streams of every kind, some at a time, and leave them, by RST and by FIN."""
    subject.probe.reset()
    # a WSGI server sends each small row by itself, a second's work before the buffers are full of them
    kinds = itertools.cycle(kind for kind in KINDS if kind[0] != "rows" or host in ASGI)
    leave: Iterator[Callable[[Client], float]] = itertools.cycle([Client.reset, Client.reset, Client.finish])
    for opened in range(AT_ONCE, count + 1, AT_ONCE):
        clients = [subject.stream(name, way, options) for name, options in (next(kinds) for _ in range(AT_ONCE))]
        for client in clients:
            client.read_until(b"\r\n\r\n")
        for client in clients:
            next(leave)(client)
        subject.probe.release()
        subject.probe.wait_all_closed(opened)
        subject.leave()


@on(HOSTS)
def test_aborted_streams_are_closed_and_leave_nothing(
    subject: Subject, host: Host, way: str, record_property: Callable[[str, object], None]
) -> None:
    _abort(subject, host, way, 2 * AT_ONCE)  # what the server and the pool keep for later
    subject.hello()
    before = subject.wait_settled(subject.probe.measure(), more_threads=0)
    count = 100 if host.name in BY_DEFAULT else 500
    _abort(subject, host, way, count)
    after = subject.wait_settled(before, more_threads=POOL)
    record_property("RSS gained, KiB per stream", (after.rss - before.rss) / 1024 / count)
    assert after.tasks <= before.tasks
    assert after.fds <= before.fds
    assert after.threads <= before.threads + POOL
    subject.hello()
