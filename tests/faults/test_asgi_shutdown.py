"""A server that is told to end ends its streams: every `finally` runs, no client takes the end for the stream's own."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable

import pytest

from . import asgi_hosts
from .harness import Host, run

OPEN = 20

HOSTS = asgi_hosts.HOSTS


if sys.version_info >= (3, 12):  # there hypercorn 0.18 waits for its clients before it ends anything
    HOSTS = {name: host for name, host in HOSTS.items() if name != "hypercorn"}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from 3.12 on hypercorn 0.18 waits for its clients at SIGTERM")
def test_hypercorn_is_among_the_hosts() -> None:
    assert "hypercorn" in HOSTS


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_sigterm_with_open_streams_closes_each_of_them(
    host: Host, record_property: Callable[[str, object], None]
) -> None:
    with run(host.serve, host.app) as subject:
        kinds = [("idle", "async"), ("ticking", "async"), ("ticking", "sync"), ("rows", "sync")]
        clients = [subject.stream(*kinds[number % len(kinds)]).read_until(b"\r\n\r\n") for number in range(OPEN)]
        subject.probe.wait(lambda it: it.opened == OPEN)
        told_at = time.monotonic()
        subject.server.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.read_to_the_end()
        subject.server.process.wait(20)
        record_property("exit after, s", time.monotonic() - told_at)
        subject.probe.wait(lambda it: not it.processes)
        assert subject.probe.closed == OPEN, str(subject.probe)
        assert not any(client.complete for client in clients)
