"""The client's connection: what a server shows of it is seen, and what it tells wakes the stream that waits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

import stream_adapter as sa
from stream_adapter._connection import ToldConnection
from stream_adapter.integration import ClientDisconnected, Host, StreamAborted, SyncBody, client_connection
from tests.support.gate import BOUND

SOCKETS = ["gunicorn.socket", "werkzeug.socket"]


@pytest.mark.parametrize("key", SOCKETS)
def test_it_is_seen_on_the_servers_socket_that_the_client_has_gone(key: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = client_connection({key: ours})
        assert connection is not None
        assert not connection.gone()
        theirs.send(b"GET /next")  # a pipelined request is no disconnect, and must not be eaten
        assert not connection.gone()
        assert ours.recv(100) == b"GET /next"
        theirs.close()
        assert connection.gone()
        ours.close()
        assert connection.gone()


@pytest.mark.parametrize("gone", [True, False])
def test_waitress_is_asked(gone: bool) -> None:
    connection = client_connection({"waitress.client_disconnected": lambda: gone})
    assert connection is not None
    assert connection.gone() is gone


@pytest.mark.parametrize("environ", [{}, {"gunicorn.socket": None}, {"werkzeug.socket": "not a socket"}])
def test_a_server_may_show_nothing(environ: dict[str, object]) -> None:
    assert client_connection(environ) is None


def test_who_asks_late_is_told_as_well() -> None:
    connection, told = ToldConnection(), list[str]()
    connection.on_gone(lambda: told.append("early"))
    assert not connection.gone()
    connection.tell()
    connection.on_gone(lambda: told.append("late"))
    assert told == ["early", "late"]
    assert connection.gone()


class NeverAsked(ToldConnection):
    def gone(self) -> bool:
        raise AssertionError("a connection that tells need not be asked")


async def idle() -> AsyncGenerator[bytes]:
    yield b"first"
    await asyncio.Event().wait()


def test_a_connection_that_tells_wakes_the_stream_that_waits() -> None:
    connection, summaries = NeverAsked(), list[sa.StreamSummary]()
    response = sa.Response(idle(), on_close=summaries.append)
    blocks = iter(SyncBody(response.resolve(), Host(connection=connection)))
    assert next(blocks) == b"first"
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, blocks)
        connection.tell()
        with pytest.raises(ClientDisconnected):
            following.result(BOUND)
    assert [summary.reason for summary in summaries] == ["disconnect"]


def test_the_first_reason_is_the_reason() -> None:
    connection, summaries = ToldConnection(), list[sa.StreamSummary]()
    body = SyncBody(sa.Response(idle(), on_close=summaries.append).resolve(), Host(connection=connection))
    blocks = iter(body)
    assert next(blocks) == b"first"
    body.end("shutdown")
    connection.tell()
    with pytest.raises(StreamAborted):
        next(blocks)
    assert [summary.reason for summary in summaries] == ["shutdown"]


def endless() -> Generator[bytes]:
    while True:
        yield bytes(65536)


async def async_endless() -> AsyncGenerator[bytes]:
    while True:
        yield bytes(65536)


@pytest.mark.parametrize("key", SOCKETS)
@pytest.mark.parametrize("source", [endless, async_endless])
def test_a_server_that_sends_to_a_client_which_reads_nothing_is_reached_by_drain(
    source: Callable[[], object], key: str
) -> None:
    summaries = list[sa.StreamSummary]()
    ours, theirs = socket.socketpair()

    def serve() -> None:
        connection = client_connection({key: ours})
        body = SyncBody(sa.Response(source(), on_close=summaries.append).resolve(), Host(connection=connection))
        try:
            for block in body:
                ours.sendall(block)
        finally:
            body.close()

    with ours, theirs, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        theirs.recv(1)
        assert sa.drain(BOUND)
        with pytest.raises(OSError):  # noqa: PT011  # a broken pipe, or ours: whichever comes first
            served.result(BOUND)
    assert [summary.reason for summary in summaries] == ["shutdown"]
