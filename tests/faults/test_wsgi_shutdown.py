"""SIGTERM ends streams where `drain_on_signal` was called: every `finally` runs, no client takes that for the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.support import servers

from .harness import Host, run
from .wsgi_hosts import HOSTS

OPEN = 20


@pytest.mark.parametrize(("name", "host"), HOSTS.items(), ids=HOSTS)
def test_sigterm_with_open_streams_closes_each_of_them(
    name: str, host: Host, record_property: Callable[[str, object], None]
) -> None:
    options = ["--threads", str(2 * OPEN)] if host.serve is servers.gunicorn else []
    kinds = (
        [("ticking", "sync")] if name == "gevent" else [("idle", "async"), ("ticking", "async"), ("ticking", "sync")]
    )
    with run(host.serve, host.app, *options) as subject:
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
        assert subject.probe.reasons == {"shutdown": OPEN}
        assert not any(client.complete for client in clients)
