"""The faults over HTTP/2, where a connection carries many streams: one is reset, stalls or fails, the others go on."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.support import servers
from tests.support.gate import BOUND
from tests.support.tls import Certificate, make_certificate

from .harness import Host, Subject, probed
from .hosts import HTTP_2, marks
from .http2 import Connection

# how each server is asked for HTTP/2 over TLS; the files' names are filled in
OPTIONS = {
    "uvicorn": ("--http", "zttp", "--http2", "--ssl-certfile", "{chain}", "--ssl-keyfile", "{key}"),
    "hypercorn": ("--certfile", "{chain}", "--keyfile", "{key}"),
    "granian": ("--ssl-certificate", "{chain}", "--ssl-keyfile", "{key}"),
    "gunicorn": ("--http-protocols", "h2,h1", "--certfile", "{chain}", "--keyfile", "{key}"),
    "gthread": ("--http-protocols", "h2,h1", "--certfile", "{chain}", "--keyfile", "{key}"),
}
HOSTS = [*HTTP_2, Host("gthread", "plain", servers.gunicorn, "plain_wsgi:app")]
BY_DEFAULT = "granian-plain"

# What a server makes impossible; docs/reference/servers.md says so. A test that passes there is a failure: remove the
# expectation, and that sentence.
_DROPPED = "it drops a failed stream, with neither END_STREAM nor RST_STREAM"
_UNBOUNDED = "it takes all that a source has, though the stream's window is empty"
_ONE_BY_ONE = "it serves the streams of a connection one after the other, and reads nothing while it serves one"
LIMITS = {
    "failure": {"hypercorn": _DROPPED},
    "stall": {"hypercorn": _UNBOUNDED, "uvicorn": _UNBOUNDED, "gthread": _ONE_BY_ONE},
    "many": {"gthread": _ONE_BY_ONE},
}
# hosts that answer nothing, whatever the test
UNANSWERED = {
    ("uvicorn", "Django"): "uvicorn's receive() never returns where a request has no body, and Django reads it first",
}
SILENT = 3.0  # seconds after which a server that is known to be silent is taken to be


@dataclass
class Served:
    """A server of HTTP/2, and the connections of one test."""

    subject: Subject
    certificate: Certificate
    patience: float = BOUND
    _connections: list[Connection] = field(default_factory=list[Connection])

    def connect(self) -> Connection:
        connection = Connection(self.subject.server.port, self.certificate.client(), self.patience)
        self._connections.append(connection)
        return connection

    def leave(self) -> None:
        while self._connections:
            self._connections.pop().close()


@contextmanager
def serve(host: Host) -> Generator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        options = [part.format(chain=certificate.chain, key=certificate.key) for part in OPTIONS[host.server]]
        with probed(host, *options) as (server, probe):
            served = Served(Subject(server, probe), certificate)
            try:
                yield served
            finally:
                served.leave()


class Running:
    """The server that runs, one at a time."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._host: Host | None = None
        self._served: Served | None = None

    def served(self, host: Host) -> Served:
        if self._served is None or self._host != host:
            self.stop()
            self._host, self._served = host, self._stack.enter_context(serve(host))
        return self._served

    def stop(self) -> None:
        self._served = None
        self._stack.close()


@pytest.fixture(scope="module")
def running_http2() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


@pytest.fixture
def served(host: Host, running_http2: Running, request: pytest.FixtureRequest) -> Iterator[Served]:
    """Give a server with nothing running on it."""
    served = running_http2.served(host)
    probe = served.subject.probe
    probe.reset()
    served.patience = SILENT if request.node.get_closest_marker("xfail") else BOUND
    yield served
    served.leave()
    probe.release()
    probe.wait(lambda it: it.opened == it.closed == it.reasons.total())


def _marks(host: Host, fault: str = "") -> list[pytest.MarkDecorator]:
    found = [mark for mark in marks(host) if mark.name == "skip"]
    if host.name != BY_DEFAULT:
        found.append(pytest.mark.servers)
    reason = UNANSWERED.get((host.server, host.framework)) or LIMITS.get(fault, {}).get(host.server)
    if reason is None:
        return found
    strict = host.framework != "Flask"  # by to_asgi a source may pause on a busy machine, and so seem to be stopped
    return [*found, pytest.mark.xfail(reason=reason, raises=AssertionError, strict=strict)]


def over_http2(fault: str = "", hosts: Sequence[Host] = HOSTS) -> pytest.MarkDecorator:
    """Run a test on each server, with each way; on those that make it impossible, expect it to fail."""
    cases: list[ParameterSet] = []
    for host in hosts:
        found = _marks(host, fault)
        cases += [pytest.param(host, way, id=f"{host.name}-{way}", marks=found) for way in ("sync", "async")]
    return pytest.mark.parametrize(("host", "way"), cases)


# gunicorn's gthread worker does not see that the client of a silent stream has left, and a test must leave it in order
@over_http2(hosts=HTTP_2)
def test_first_item_arrives_while_the_source_has_no_second(served: Served, way: str) -> None:
    connection = served.connect()
    stream = connection.stream("idle", way)
    connection.read_until(lambda: b"first" in stream.received)
    assert (stream.status, stream.is_complete, served.subject.probe.closed) == (200, False, 0)


@over_http2()
def test_complete_body_ends_by_end_stream(served: Served, way: str) -> None:
    connection = served.connect()
    stream = connection.stream("finite", way)
    connection.read_to_the_end(stream)
    assert stream.is_complete
    assert len(stream.received) == 2200
    served.subject.probe.wait_all_closed(1)


@over_http2("failure")
def test_failure_resets_its_stream_and_leaves_the_connection(served: Served, way: str) -> None:
    connection = served.connect()
    failing, timed = connection.stream("raising", way), connection.stream("idle", way, "idle_timeout")
    connection.read_to_the_end(failing, timed)
    for stream in (failing, timed):
        assert bytes(stream.received) in {b"one,two,", b"first\n"}
        assert not stream.is_complete
        assert stream.reset_by is not None
    whole = connection.stream("finite", way)
    connection.read_to_the_end(whole)
    assert whole.is_complete
    served.subject.probe.release()
    served.subject.probe.wait_all_closed(3)


@over_http2("many")
def test_one_of_a_hundred_streams_is_reset_and_the_others_go_on(served: Served, way: str) -> None:
    connection, probe = served.connect(), served.subject.probe
    streams = [connection.stream("ticking", way) for _ in range(100)]
    connection.read_until(lambda: all(stream.received for stream in streams))
    left = streams.pop(50)
    connection.reset(left)
    connection.read_until(lambda: probe.reasons == {"disconnect": 1})
    seen = [len(stream.received) for stream in streams]
    connection.read_until(lambda: all(len(it.received) > size for it, size in zip(streams, seen, strict=True)))
    assert probe.closed == 1
    connection.close()
    probe.wait_all_closed(100)


@over_http2("stall")
def test_stalled_stream_stops_its_source_while_another_flows(served: Served, way: str) -> None:
    connection = served.connect()
    stalled = connection.stream("fast", way, is_stalled=True)
    connection.read_until(lambda: len(stalled.received) >= 65535)
    assert served.subject.wait_level().produced <= 16 << 20
    flowing = connection.stream("finite", way)
    connection.read_to_the_end(flowing)
    assert flowing.is_complete


# behind a middleware, and in a WSGI application, `send` is not the server's
@over_http2("stall", [host for host in HOSTS if host.framework not in {"middleware", "Flask"}])
def test_stalled_stream_reaches_send_timeout_while_another_flows(served: Served, way: str) -> None:
    connection, probe = served.connect(), served.subject.probe
    flowing = connection.stream("ticking", way)
    stalled = connection.stream("fast", way, "send_timeout", is_stalled=True)
    connection.read_until(lambda: probe.reasons == {"send_timeout": 1})
    seen = len(flowing.received)
    connection.read_until(lambda: len(flowing.received) > seen)
    assert not stalled.is_complete


@pytest.mark.parametrize("host", [pytest.param(host, id=host.name, marks=_marks(host)) for host in HTTP_2])
def test_sigterm_closes_each_stream_of_a_connection(host: Host) -> None:
    with serve(host) as served:
        connection, probe = served.connect(), served.subject.probe
        streams = [connection.stream(name, way) for name, way in [("ticking", "sync"), ("idle", "async")] * 10]
        connection.read_until(lambda: all(stream.received for stream in streams))
        served.subject.server.process.send_signal(signal.SIGTERM)
        probe.wait(lambda it: it.closed == 20)
        connection.read_until(lambda: connection.is_over)
        probe.wait(lambda it: not it.processes)
        assert probe.reasons == {"shutdown": 20}
        assert not any(stream.is_complete for stream in streams)
