"""A server that shuts down ends its streams: every `finally` runs, and no client sees a complete stream."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from .client import Client
from .harness import Host, Subject, run
from .hosts import HOSTS, WSGI, marks

OPEN = 20
# behind a middleware that catches, and where Django sends, an ASGI server is given the error that ended the stream
QUIET = {host.name for host in HOSTS if host in WSGI or host.framework not in {"middleware", "Django"}}

_SYNC = [("ticking", "sync"), ("fast", "sync")]
_ASYNC = [("idle", "async"), ("ticking", "async"), ("fast", "async")]


def _kinds(host: Host) -> list[tuple[str, str]]:
    """Return what is open when the signal comes; the clients of the fast ones have stopped reading them."""
    kinds = _SYNC if host.server == "gevent" else _SYNC + _ASYNC
    if host.framework == "middleware":  # which ends in form what it still holds
        kinds = [(name, way) for name, way in kinds if name != "fast"]
    return kinds


def _open(subject: Subject, kinds: list[tuple[str, str]]) -> list[Client]:
    clients = [subject.stream(*kinds[number % len(kinds)]).read_until(b"\r\n\r\n") for number in range(OPEN)]
    subject.probe.wait(lambda it: it.opened == OPEN)
    subject.wait_level()
    return clients


@pytest.mark.parametrize("host", [pytest.param(host, id=host.name, marks=marks(host)) for host in HOSTS])
def test_sigterm_with_open_streams_closes_each_of_them(
    host: Host, record_property: Callable[[str, object], None]
) -> None:
    with run(host) as subject:
        clients = _open(subject, _kinds(host))
        signalled_at = time.monotonic()
        subject.server.process.send_signal(signal.SIGTERM)
        subject.probe.wait(lambda it: it.closed == OPEN)
        record_property("SIGTERM: closed, s", time.monotonic() - signalled_at)
        for client in clients:
            client.read_to_the_end()
        subject.server.process.wait(20)
        record_property("SIGTERM: exit, s", time.monotonic() - signalled_at)
        subject.probe.wait(lambda it: not it.processes)
        assert subject.probe.reasons == {"shutdown": OPEN}
        assert not any(client.complete for client in clients)
        if host.name in QUIET:
            assert "Traceback" not in subject.server.log()
