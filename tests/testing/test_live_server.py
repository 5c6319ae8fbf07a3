"""Real servers in this process, and the clients that behave badly with them; nothing of either is left."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

import stream_adapter as sa
from stream_adapter.testing import LiveServer, SlowClient, StalledClient, next_chunk
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp
from tests.support.gate import BOUND, Gate
from tests.testing.apps import Make, asgi_app, either_protocol, wsgi_app

either = pytest.mark.parametrize("protocol", ["wsgi", "asgi"])


class Subject:
    """An endless stream by each protocol, which says how much it has yielded, and when it is closed."""

    def __init__(self, chunk: bytes) -> None:
        self.yielded = 0
        self.closed = Gate()
        self._chunk = chunk

    def app(self, protocol: str) -> WSGIApp | ASGIApp:
        return self._wsgi if protocol == "wsgi" else self._asgi

    def _wsgi(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return sa.Response(self._source()).wsgi(environ, start_response)

    async def _asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        await sa.Response(self._source()).asgi(scope, receive, send)

    async def _source(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.yielded += len(self._chunk)
                yield self._chunk
                await asyncio.sleep(0 if len(self._chunk) > 1 else BOUND)
        finally:
            self.closed.open()


def resources() -> set[str]:
    """Name the open sockets, and the threads but those that stream_adapter keeps for the next stream."""
    names = {f"{thread.name} {thread.ident}" for thread in threading.enumerate() if "stream_adapter" not in thread.name}
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the listing's own
            names.add(str(Path(f"/proc/self/fd/{fd}").readlink()))
    return {name for name in names if not name.startswith(("/", "pipe:", "anon_inode:"))}


@pytest.fixture(autouse=True)
def background_loop() -> None:
    """Start the background loop, which lives as long as the process, before threads are counted."""
    assert list(sa.iter_bytes(_nothing())) == []


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


@either_protocol
def test_an_application_is_served_on_a_port_of_the_systems(make: Make) -> None:
    with LiveServer(make([b"one ", b"two"])) as one, LiveServer(make([b"three"])) as other:
        assert one.port != other.port
        assert httpx2.get(f"{one.url}/").text == "one two"
        assert httpx2.get(f"{other.url}/").text == "three"


def test_live_server_entered_twice_is_one_server_and_leaves_no_thread() -> None:
    def running() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("live server")]

    with LiveServer(wsgi_app([b"one"])) as server:
        with server as again:
            assert (again, running()) == (server, [f"live server {server.port}"])
            assert httpx2.get(f"{server.url}/").text == "one"
        assert running() == []
    assert running() == []


@either
def test_leaving_it_closes_the_streams_that_are_open_and_leaves_no_thread_and_no_socket(protocol: str) -> None:
    subject = Subject(b"x")
    before = resources()
    with httpx2.Client() as client:
        with LiveServer(subject.app(protocol)) as server:
            response = client.send(client.build_request("GET", server.url), stream=True)
            assert next_chunk(response) == b"x"
        with pytest.raises(httpx2.TransportError):
            next_chunk(response)
    subject.closed.wait()
    assert resources() <= before  # those of other tests may have ended
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(server.url)


@either
@pytest.mark.parametrize("leave", [StalledClient.leave, StalledClient.reset])
def test_a_stalled_client_stops_the_source_and_leaving_closes_it(
    protocol: str, leave: Callable[[StalledClient], None]
) -> None:
    subject = Subject(bytes(65536))
    with LiveServer(subject.app(protocol)) as server, StalledClient(f"{server.url}/endless?a=1") as client:
        client.read_until(b"\r\n\r\n")
        assert client.status == 200
        assert not client.complete
        leave(client)
        subject.closed.wait()
    assert subject.yielded < 64 * 1024 * 1024


@either_protocol
def test_slow_client_gets_the_whole_body(make: Make) -> None:
    with (
        LiveServer(make([b"x" * 1000] * 20)) as server,
        SlowClient(server.url, size=4096, pause=0.001, headers={"X-Name": "value"}) as client,
    ):
        assert client.read_to_the_end().count(b"x") >= 20_000
        assert (client.status, client.complete) == (200, True)


def test_raw_client_error_contains_the_bytes_received_so_far() -> None:
    gate = Gate()

    def source() -> Iterator[bytes]:
        yield b"first"
        gate.wait()

    with LiveServer(wsgi_app(source())) as server, StalledClient(server.url, timeout=0.05) as client:
        with pytest.raises(AssertionError, match=r"expected b'second', but nothing came within 0\.05 s; .*first"):
            client.read_until(b"second")
        gate.open()
        with pytest.raises(AssertionError, match="expected 100000 bytes, but the connection ended"):
            client.read(100_000)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "127.0.0.1:80", "/path"])
def test_a_raw_client_speaks_plain_http_only(url: str) -> None:
    with pytest.raises(ValueError, match=r"url: expected http://host:port/path"):
        StalledClient(url)


@either
def test_an_application_that_fails_is_a_500_and_then_a_broken_connection_and_goes_to_the_log(
    protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    def early() -> Iterator[bytes]:
        raise LookupError("early")
        yield b""

    def late() -> Iterator[bytes]:
        yield b"first"
        raise LookupError("late")

    make = wsgi_app if protocol == "wsgi" else asgi_app
    with LiveServer(make(early())) as server:
        assert httpx2.get(server.url).status_code == 500
    headers = [("content-type", "text/plain")]  # with none at all, Werkzeug takes it that nothing was sent
    with LiveServer(make(late(), headers=headers)) as server, pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(server.url)
    assert "LookupError: early" in caplog.text
    assert "LookupError: late" in caplog.text


def test_a_lifespan_runs_with_the_server_and_its_failure_is_an_error() -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        for event in ("startup", "shutdown"):
            await receive()
            events.append(event)
            await send({"type": f"lifespan.{event}.complete"})

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with LiveServer(app):
        assert events == ["startup"]
    assert events == ["startup", "shutdown"]
    before = resources()
    with pytest.raises(RuntimeError, match="the application's startup failed"), LiveServer(failing):
        pass
    assert resources() <= before  # those of other tests may have ended
