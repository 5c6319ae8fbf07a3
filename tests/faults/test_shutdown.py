"""A server that shuts down ends its streams: every `finally` runs, and no client sees a complete stream."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx2
import pytest

from tests.support import servers
from tests.support.gate import BOUND

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


_AT_IMPORT: dict[str, Callable[[str], AbstractContextManager[servers.Server]]] = {
    # sets its handlers after the import; without the drain it cancels the stream
    "uvicorn": lambda app: servers.uvicorn(app, "--lifespan", "off", "--timeout-graceful-shutdown", "5"),
    "gunicorn": servers.gunicorn_asgi,
}


@pytest.mark.parametrize("server", _AT_IMPORT)
def test_sigterm_ends_streams_of_an_application_that_drains_from_its_import_on(server: str) -> None:
    with _AT_IMPORT[server]("tests.faults.apps.draining_at_import:app") as running:
        with httpx2.stream("GET", running.url, timeout=BOUND) as response:
            blocks = response.iter_raw()
            assert next(blocks)
            running.process.send_signal(signal.SIGTERM)
            with pytest.raises(httpx2.TransportError):
                list(blocks)
        running.process.wait(BOUND)
        assert "ended by shutdown" in running.log()
