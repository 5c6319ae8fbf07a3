"""The client's connection: what a server shows of it is seen, and what it announces wakes the stream that waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

import stream_adapter as sa
from stream_adapter._connection import NotifiedConnection, Sample
from stream_adapter._receive_timeout import bound_input
from stream_adapter._tcp import Peer
from stream_adapter._watch import Client
from stream_adapter.integration import ClientDisconnected, Connection, Hooks, StreamAborted, SyncBody, client_connection
from tests.support.gate import BOUND

SOCKETS = ["gunicorn.socket", "werkzeug.socket"]


class Channel:
    """What waitress has behind its function."""

    total_outbufs_len = 0

    def __init__(self, client: socket.socket) -> None:
        self.socket = client

    def check_client_disconnected(self) -> bool:
        return False  # as it says without channel_request_lookahead


def connection_of(environ: dict[str, object]) -> Connection:
    connection = client_connection(environ)
    assert connection is not None
    return connection


def environs(client: socket.socket) -> dict[str, dict[str, object]]:
    """Return what each server has in its environ of one socket."""
    limited = SimpleNamespace(_read=client.makefile("rb").read)
    return {
        **{key: {key: client} for key in SOCKETS},
        "waitress": {"waitress.client_disconnected": Channel(client).check_client_disconnected},
        "wsgiref": {"SERVER_SOFTWARE": "WSGIServer/0.2", "wsgi.input": client.makefile("rb")},
        "wsgiref of Python 3.15": {"SERVER_SOFTWARE": "WSGIServer", "wsgi.input": client.makefile("rb")},
        "runserver": {"SERVER_SOFTWARE": "WSGIServer/0.2", "wsgi.input": limited},
    }


@pytest.mark.parametrize("server", [*SOCKETS, "waitress", "wsgiref", "wsgiref of Python 3.15", "runserver"])
def test_departure_is_seen_on_the_servers_socket_behind_unread_bytes(server: str) -> None:
    near, far = socket.socketpair()
    with near, far:
        connection = connection_of(environs(near)[server])
        assert connection.sample().peer is Peer.OPEN
        far.send(b"GET /next")  # a pipelined request, which must not be eaten
        assert connection.sample().peer is Peer.OPEN
        far.shutdown(socket.SHUT_WR)
        assert connection.sample().peer is Peer.HALF_CLOSED
        far.close()
        assert connection.sample().peer is Peer.CLOSED
        assert near.recv(100) == b"GET /next"


@pytest.mark.parametrize("server", [*SOCKETS, "waitress", "wsgiref", "wsgiref of Python 3.15", "runserver"])
def test_released_connection_is_neither_aborted_nor_closed(server: str) -> None:
    near, far = socket.socketpair()
    with near, far:
        connection = connection_of(environs(near)[server])
        connection.release()
        connection.release()
        connection.abort(framed=True, grace=0)
        connection.reset()
        assert connection.sample() == Sample(Peer.OPEN)
        near.send(b"still the server's")
        assert far.recv(100) == b"still the server's"


@pytest.mark.parametrize("server", ["wsgiref", "runserver"])
def test_connection_beneath_a_bounded_input_is_found(server: str) -> None:
    near, far = socket.socketpair()
    with near, far:
        environ = environs(near)[server] | {"CONTENT_LENGTH": "10"}
        assert bound_input(environ, seconds=30) is environ["wsgi.input"]
        far.close()
        assert connection_of(environ).gone()


@pytest.mark.parametrize("gone", [True, False])
def test_waitress_without_its_channel_is_asked(gone: bool) -> None:
    connection = connection_of({"waitress.client_disconnected": lambda: gone})
    assert connection.sample().peer is (Peer.CLOSED if gone else Peer.OPEN)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"gunicorn.socket": None},
        {"werkzeug.socket": "not a socket"},
        {"SERVER_SOFTWARE": "WSGIServer/0.2", "wsgi.input": None},
        {"uwsgi.version": b"2.0"},
    ],
)
def test_environ_without_a_socket_gives_no_connection(environ: dict[str, object]) -> None:
    assert client_connection(environ) is None


def test_input_that_is_a_socket_or_a_file_of_another_server_is_not_the_client() -> None:
    near, far = socket.socketpair()
    with near, far, open(__file__, "rb") as file:
        assert client_connection({"SERVER_SOFTWARE": "Apache", "wsgi.input": near.makefile("rb")}) is None
        assert client_connection({"SERVER_SOFTWARE": "WSGIServer/0.2", "wsgi.input": file}) is None


def test_connection_of_http_2_is_not_one_streams_to_break() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert client_connection({"gunicorn.socket": near, "SERVER_PROTOCOL": "HTTP/2"}) is None


CHUNKS = [
    ({"SERVER_PROTOCOL": "HTTP/1.1"}, "gunicorn.socket", True),
    ({"SERVER_PROTOCOL": "HTTP/1.0"}, "gunicorn.socket", False),
    ({"SERVER_PROTOCOL": "HTTP/1.1", "wsgi.multithread": True}, "werkzeug.socket", True),
    ({"SERVER_PROTOCOL": "HTTP/1.1", "wsgi.multithread": False}, "werkzeug.socket", False),
    ({"SERVER_PROTOCOL": "HTTP/1.1"}, "waitress", True),
    ({"SERVER_PROTOCOL": "HTTP/1.1"}, "wsgiref", False),
    ({"SERVER_PROTOCOL": "HTTP/1.1"}, "runserver", False),
]


@pytest.mark.parametrize(("environ", "server", "chunks"), CHUNKS)
def test_connection_knows_whether_its_server_sends_chunked(
    environ: dict[str, object], server: str, *, chunks: bool
) -> None:
    near, far = socket.socketpair()
    with near, far:
        assert connection_of(environs(near)[server] | environ).chunks is chunks


def test_on_disconnect_calls_back_at_once_after_a_disconnect() -> None:
    connection, called = NotifiedConnection(), list[str]()
    connection.on_disconnect(lambda: called.append("early"))
    assert connection.sample().peer is Peer.OPEN
    connection.notify()
    connection.on_disconnect(lambda: called.append("late"))
    assert called == ["early", "late"]
    assert connection.sample().peer is Peer.CLOSED


class NeverSampled(NotifiedConnection):
    def sample(self) -> Sample:
        raise AssertionError("a connection that notifies need not be sampled")


async def idle() -> AsyncGenerator[bytes]:
    yield b"first"
    await asyncio.Event().wait()


def test_connection_that_notifies_wakes_the_stream_that_waits() -> None:
    connection, summaries = NeverSampled(), list[sa.StreamSummary]()
    response = sa.Response(idle(), on_close=summaries.append)
    blocks = iter(SyncBody(response.resolve(), Hooks(connection=connection)))
    assert next(blocks) == b"first"
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, blocks)
        connection.notify()
        with pytest.raises(ClientDisconnected):
            following.result(BOUND)
    assert [summary.reason for summary in summaries] == ["disconnect"]


def test_body_ended_twice_reports_the_first_reason() -> None:
    connection, summaries = NotifiedConnection(), list[sa.StreamSummary]()
    body = SyncBody(sa.Response(idle(), on_close=summaries.append).resolve(), Hooks(connection=connection))
    blocks = iter(body)
    assert next(blocks) == b"first"
    body.end("shutdown")
    connection.notify()
    with pytest.raises(StreamAborted):
        next(blocks)
    assert [summary.reason for summary in summaries] == ["shutdown"]


def empty_chunks() -> Generator[bytes]:
    yield b"first"
    while True:
        yield b""


@pytest.mark.parametrize("source", [idle, empty_chunks], ids=["silent", "empty chunks"])
def test_watcher_ends_the_stream_of_a_client_that_has_gone(source: Callable[[], object]) -> None:
    summaries = list[sa.StreamSummary]()
    near, far = socket.socketpair()
    with near, far:
        connection = client_connection({"gunicorn.socket": near})
        body = iter(SyncBody(sa.Response(source(), on_close=summaries.append).resolve(), Hooks(connection=connection)))
        assert next(body) == b"first"
        far.close()
        assert not any(body)
    assert [summary.reason for summary in summaries] == ["disconnect"]


def endless() -> Generator[bytes]:
    while True:
        yield bytes(65536)


async def async_endless() -> AsyncGenerator[bytes]:
    while True:
        yield bytes(65536)


def stall(source: object, environ: dict[str, object], near: socket.socket, limits: sa.Limits) -> list[str]:
    """Serve a client that reads nothing until the stream is ended; return the reasons that `on_close` had."""
    summaries = list[sa.StreamSummary]()
    resolved = sa.Response(source, on_close=summaries.append, limits=limits).resolve()
    body = SyncBody(resolved, Hooks(connection=client_connection(environ)))
    try:
        with contextlib.suppress(ConnectionError, sa.StreamTimeoutError):  # by `send`, which may fail first
            for block in body:
                near.sendall(block)
    finally:
        body.close()
    return [summary.reason for summary in summaries]


@pytest.mark.parametrize("key", SOCKETS)
@pytest.mark.parametrize("source", [endless, async_endless])
def test_drain_reaches_a_server_that_sends_to_a_client_which_reads_nothing(
    source: Callable[[], object], key: str
) -> None:
    near, far = socket.socketpair()
    with near, far, ThreadPoolExecutor(1) as pool:
        served = pool.submit(stall, source(), {key: near}, near, sa.Limits(send_timeout=None))
        far.recv(1)
        assert sa.drain(BOUND)
        assert served.result(BOUND) == ["shutdown"]


@pytest.mark.parametrize("source", [endless, async_endless, lambda: bytes(1 << 26)], ids=["sync", "async", "whole"])
def test_client_that_receives_nothing_reaches_send_timeout(
    source: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "stream_adapter")
    near, far = socket.socketpair()
    with near, far, ThreadPoolExecutor(1) as pool:
        served = pool.submit(stall, source(), {"gunicorn.socket": near}, near, sa.Limits(send_timeout=0.3))
        assert served.result(BOUND) == ["send_timeout"]
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert ": the client took nothing for 0.3 s (" in record.getMessage()


def samples(client: Client, *seen: tuple[float, Sample], send_timeout: float | None = 10.0) -> list[str | None]:
    return [client.verdict(sample, send_timeout, at) for at, sample in seen]


def test_client_that_takes_some_from_time_to_time_is_kept() -> None:
    steady = [(float(at), Sample(Peer.OPEN, True, at // 9)) for at in range(100)]
    assert samples(Client(0.0), *steady) == [None] * 100
    stalled = [(float(at), Sample(Peer.OPEN, True, 1)) for at in (1, 10, 11)]
    assert samples(Client(0.0), *stalled) == [None, None, "send_timeout"]
    assert samples(Client(0.0), *stalled, send_timeout=None) == [None] * 3


def test_client_for_which_nothing_waits_is_kept() -> None:
    silent = [(float(at), Sample(Peer.OPEN, False, 1)) for at in range(0, 100, 9)]
    assert samples(Client(0.0), *silent) == [None] * len(silent)
    assert samples(Client(0.0), (99.0, Sample(Peer.OPEN, False)), (108.0, Sample(Peer.OPEN, True))) == [None, None]


def test_half_closed_client_is_kept_while_it_reads_and_taken_for_gone_when_nothing_shows_it() -> None:
    def finished(at: float, mark: int, *, has_unsent: bool = False) -> tuple[float, Sample]:
        return at, Sample(Peer.HALF_CLOSED, has_unsent, mark)

    assert samples(Client(0.0), finished(1, 5), finished(2, 6), finished(4.5, 7), finished(7, 8)) == [None] * 4
    assert samples(Client(0.0), finished(1, 5), finished(2, 5), finished(4.5, 5)) == [None, None, "disconnect"]
    assert samples(Client(0.0), finished(1, 5), finished(5, 5, has_unsent=True), finished(6, 5)) == [None] * 3


def test_reset_connection_is_a_departure() -> None:
    assert samples(Client(0.0), (0.1, Sample(Peer.CLOSED))) == ["disconnect"]


@pytest.mark.parametrize("again", ["reset", "abort"])
def test_connection_is_reset_once(again: str) -> None:
    """Werkzeug reads on after its `send` has failed, and a second reset makes a read raise for a moment."""
    off = struct.pack("ii", 0, 0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), BOUND)
        server, _ = listener.accept()
    with client, server:
        connection = connection_of({"gunicorn.socket": server, "SERVER_PROTOCOL": "HTTP/1.0"})
        connection.reset()
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) != off
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
        if again == "reset":
            connection.reset()
        else:
            connection.abort(framed=False, grace=0)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == off
        with pytest.raises(ConnectionResetError):
            server.send(b"a chunk")
        assert server.recv(100) == b""


@pytest.mark.parametrize(("headers", "reset"), [({}, True), ({"Content-Length": "100"}, False)])
@pytest.mark.parametrize("swallows", [True, False])
@pytest.mark.parametrize("way", ["sync", "async"])
def test_failed_body_that_the_close_would_end_is_reset(
    headers: dict[str, str], *, reset: bool, swallows: bool, way: str
) -> None:
    def failing() -> Generator[bytes]:
        yield b"sent"
        raise LookupError

    async def afailing() -> AsyncGenerator[bytes]:
        yield b"sent"
        raise LookupError

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), BOUND)
        server, _ = listener.accept()
    with client, server:
        connection = client_connection({"gunicorn.socket": server, "SERVER_PROTOCOL": "HTTP/1.0"})
        source = failing() if way == "sync" else afailing()
        body = SyncBody(sa.Response(source, headers=headers).resolve(), Hooks(connection=connection))
        with pytest.raises(LookupError):
            for block in body:
                server.sendall(block)
        if swallows:  # a middleware, or Werkzeug's debugger
            with pytest.raises(OSError):  # noqa: PT011  # a reset, or a broken pipe
                server.sendall(b"and a polite end")
        server.close()
        assert client.recv(100) == b"sent"
        if reset:
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        else:
            assert client.recv(100) == b""


def test_complete_http_1_0_body_closes_the_connection_with_fin() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), BOUND)
        server, _ = listener.accept()
    with client, server:
        connection = client_connection({"gunicorn.socket": server, "SERVER_PROTOCOL": "HTTP/1.0"})
        body = SyncBody(sa.Response(iter([b"a", b"b"])).resolve(), Hooks(connection=connection))
        for block in body:
            server.sendall(block)
        body.close()
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 0, 0)
        server.close()
        assert client.makefile("rb").read() == b"ab"
