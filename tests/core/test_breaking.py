"""A failed stream breaks its connection, whatever the server makes of the exception."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

import stream_adapter as sa
from stream_adapter._serve import breaking, client_sockets
from stream_adapter.types import ASGIApp, Message
from tests.support.gate import BOUND

linux = pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="connections are found on Linux")


def rows() -> Iterator[str]:
    yield "one\n"
    raise RuntimeError("the disk is full")


class CarelessServer:
    """Serves one application, and leaves its connections open, as daphne does after a failure."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.kept: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.kept.append(writer)
        request = (await reader.readuntil(b"\r\n\r\n")).decode()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise NotImplementedError

        async def send(message: Message) -> None:
            writer.write(bytes(message.get("body", b"")))
            await writer.drain()

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "http_version": request.split()[2].removeprefix("HTTP/"),
            "client": writer.get_extra_info("peername"),
        }
        with pytest.raises(RuntimeError, match="the disk is full"):
            await self._app(scope, receive, send)


async def received(version: str) -> bytes:
    """Return what a client receives until its connection is reset."""
    careless = CarelessServer(sa.text(rows()))
    server = await asyncio.start_server(careless.serve, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(f"GET / HTTP/{version}\r\n\r\n".encode())
        body = b""
        async with asyncio.timeout(BOUND):
            with pytest.raises(ConnectionResetError):
                while True:
                    body += await reader.readexactly(1)
        for kept in (writer, *careless.kept):
            kept.close()
            with contextlib.suppress(ConnectionError):
                await kept.wait_closed()
    return body


@linux
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_failed_stream_resets_a_connection_that_its_server_leaves_open(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaking, "_LEFT_OPEN", 0.1)
    monkeypatch.setattr(client_sockets, "FRESH", 0.0)  # which is shorter, so that the connection is in the list
    assert asyncio.run(received(version)) == b"one\n"


@linux
@pytest.mark.parametrize("value", [b"any", b"9" * 20_000], ids=["short", "long"])
@pytest.mark.parametrize("name", [b"X-Forwarded-For", b"Forwarded", b"X-Real-IP"])
def test_address_that_a_request_may_have_chosen_resets_no_connection(name: bytes, value: bytes) -> None:
    async def fail(address: tuple[str, int]) -> None:
        async def receive() -> Message:
            await asyncio.Event().wait()
            raise NotImplementedError

        async def send(_: Message) -> None: ...

        scope = {"type": "http", "http_version": "1.0", "client": address, "headers": [(name, value)]}
        with pytest.raises(RuntimeError, match="the disk is full"):
            await sa.text(rows())(scope, receive, send)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), BOUND) as victim,
    ):
        server, address = listener.accept()
        with server:
            asyncio.run(fail(address))
            server.sendall(b"still open")
            assert victim.recv(10) == b"still open"


@linux
def test_connection_on_which_something_came_since_the_failure_is_left_alone() -> None:
    async def look(client: tuple[str, int]) -> None:
        breaking.reset_left_open(client, asyncio.get_running_loop().time() - 60)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), BOUND) as client,
    ):
        server, address = listener.accept()
        with server:
            client.sendall(b"the next request")
            assert server.recv(100)
            asyncio.run(look(address))
            server.sendall(b"still open")
            assert client.recv(10) == b"still open"
