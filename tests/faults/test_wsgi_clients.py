"""WSGI servers that expose their socket: a disconnect is seen, a slow reader is served, a stalled one times out."""

from __future__ import annotations

import resource
import socket
from collections.abc import Generator
from contextlib import ExitStack

import pytest

from tests.support import servers
from tests.support.gate import BOUND

from .client import Client
from .harness import Host, Subject, run
from .hosts import FURTHER_WSGI, WSGI, on

SHOWN = [host for host in WSGI if host.framework in {"plain", "Flask"}] + FURTHER_WSGI
# Werkzeug sends chunks whatever the version, and Flask is on top of what a plain application has
WITHOUT_CHUNKS = [host for host in SHOWN if host.server != "werkzeug"]


def leave_behind_a_request(client: Client) -> None:
    client.send(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.finish()


@on(SHOWN)
def test_departure_behind_unread_bytes_is_seen_while_a_source_yields_empty_chunks(subject: Subject, way: str) -> None:
    leave_behind_a_request(subject.stream("empty", way).read_until(b"first"))
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}


@on(SHOWN, ["async"])
def test_departure_behind_unread_bytes_is_seen_while_a_source_is_silent(subject: Subject, way: str) -> None:
    leave_behind_a_request(subject.stream("idle", way).read_until(b"first"))
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"disconnect": 1}


@on(SHOWN)
def test_half_closed_client_gets_the_whole_body(subject: Subject, way: str) -> None:
    client = subject.stream("pausing", way, version="1.0")
    client.half_close()
    assert client.read_until(b"2\n").status == 200
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"done": 1}


@on(SHOWN)
def test_client_that_receives_nothing_reaches_send_timeout(subject: Subject, way: str) -> None:
    client = subject.stream("fast", way, "send_timeout").read(65536)
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"send_timeout": 1}
    assert not client.read_to_the_end().complete


@on(SHOWN)
def test_client_that_reads_slowly_and_steadily_gets_the_whole_body(subject: Subject, way: str) -> None:
    client = subject.stream("sized", way, "send_timeout_1", buffer=65536).read_slowly(65536, 0.04)
    assert len(client.received) > 4 << 20
    subject.probe.wait_all_closed(1)
    assert subject.probe.reasons == {"done": 1}


@on(WITHOUT_CHUNKS)
@pytest.mark.parametrize("name", ["raising", "idle"])
def test_failed_body_without_chunks_is_reset(subject: Subject, way: str, name: str) -> None:
    options = "unlimited" if name == "raising" else "idle_timeout"
    client = subject.stream(name, way, options, version="1.0")
    assert client.read_until(b"one,two," if name == "raising" else b"first").read_to_the_end().was_reset
    subject.probe.wait(lambda it: it.reasons == {"error" if name == "raising" else "idle_timeout": 1})
    subject.probe.release()
    subject.probe.wait_all_closed(1)


@on(WITHOUT_CHUNKS)
def test_complete_body_without_chunks_ends_by_fin(subject: Subject, way: str) -> None:
    client = subject.stream("finite", way, version="1.0")
    assert not client.read_to_the_end().was_reset
    assert client.received.partition(b"\r\n\r\n")[2] == b"a row of twenty-two b\n" * 100
    subject.probe.wait_all_closed(1)


def test_eight_stalled_clients_do_not_keep_a_gunicorn_of_eight_threads() -> None:
    host = Host("gthread", "plain", servers.gunicorn, "plain_wsgi:app", ("--threads", "8"))
    with run(host) as subject:
        for _ in range(8):
            subject.stream("fast", "sync", "send_timeout_1", buffer=65536).read(65536)
        subject.hello()
        subject.probe.wait_all_closed(8)
        assert subject.probe.reasons == {"send_timeout": 8}


@pytest.fixture
def many_descriptors() -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


CROWDED = [
    Host("gthread", "plain", servers.gunicorn, "plain_wsgi:app", ("--worker-connections=3000", "--keep-alive=60")),
    Host("werkzeug", "plain", servers.werkzeug, "plain_wsgi:app"),
    Host("waitress", "plain", servers.waitress, "plain_wsgi:app", ("connection_limit=3000", "asyncore_use_poll=1")),
]


@pytest.mark.parametrize(
    "host",
    [pytest.param(host, id=host.server, marks=[pytest.mark.servers] * (host.server != "gthread")) for host in CROWDED],
)
@pytest.mark.usefixtures("many_descriptors")
def test_descriptors_above_1023_neither_cut_a_stream_nor_hide_a_departure(host: Host) -> None:
    with run(host) as subject, ExitStack() as idle:
        for _ in range(1100):
            connection = idle.enter_context(socket.create_connection(("127.0.0.1", subject.server.port), BOUND))
            if host.server == "gthread":  # which has a thread wait for the first request of a connection
                connection.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.recv(1)
        for way in ("sync", "async"):
            whole = subject.stream("pausing", way).read_to_the_end()
            assert whole.complete
        subject.stream("idle", "async").read_until(b"first").finish()
        subject.probe.wait_all_closed(3)
        assert subject.probe.reasons == {"done": 2, "disconnect": 1}
