"""The registry and drain: each stream ends with the reason "shutdown", its source closed, its body incomplete."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import stream_adapter as sa
from stream_adapter._lifecycle import register, unregister
from stream_adapter.integration import AsyncBody, StreamAborted, SyncBody
from stream_adapter.testing import stream_client


@pytest.fixture(autouse=True)
def _no_stream_of_other_tests() -> None:
    gc.collect()  # some tests drop a body without closing it, and a drain waits for all there are


class Endless:
    """Yields without end, and reports its close."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def sync(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            self.closed.set()

    async def idle(self) -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await asyncio.Event().wait()
        finally:
            self.closed.set()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_draining_ends_a_stream_under_a_sync_interface(kind: str) -> None:
    source, ended = Endless(), list[sa.StreamSummary]()
    content = source.sync() if kind == "sync" else source.idle()
    body = SyncBody(sa.Response(content, on_close=ended.append).resolve())
    begun, failures = threading.Event(), list[BaseException]()

    def serve() -> None:
        try:
            for _ in body:
                begun.set()
        except StreamAborted as error:
            failures.append(error)
        finally:
            body.close()

    before = sa.active_stream_count()
    server = threading.Thread(target=serve)
    server.start()
    assert begun.wait(10)
    assert sa.active_stream_count() == before + 1
    assert sa.drain(10)
    server.join(10)
    assert source.closed.is_set()
    assert sa.active_stream_count() == before
    assert len(failures) == 1
    assert [summary.reason for summary in ended] == ["shutdown"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_draining_ends_a_stream_under_an_async_interface(kind: str) -> None:
    source, ended = Endless(), list[sa.StreamSummary]()

    async def serve() -> None:
        content = source.sync() if kind == "sync" else source.idle()
        body = AsyncBody(sa.Response(content, on_close=ended.append).resolve())
        await body.start()
        assert not sa.drain(0)  # on the loop's own thread it tells, and does not wait
        with pytest.raises(StreamAborted):
            async for _ in body:
                await asyncio.sleep(0)
        assert await asyncio.to_thread(sa.drain, 10)

    asyncio.run(serve())
    assert source.closed.is_set()
    assert [summary.reason for summary in ended] == ["shutdown"]


def test_an_asgi_stream_whose_send_never_returns_is_drained() -> None:
    source, ended = Endless(), list[sa.StreamSummary]()

    async def serve() -> None:
        sending = asyncio.Event()

        async def send(message: object) -> None:
            sending.set()
            await asyncio.Event().wait()

        async def receive() -> dict[str, object]:
            await asyncio.Event().wait()
            raise AssertionError

        scope: dict[str, object] = {"type": "http", "method": "GET", "headers": []}
        response = sa.Response(source.sync(), on_close=ended.append)
        task = asyncio.create_task(response.asgi(scope, receive, send))
        await sending.wait()
        assert await asyncio.to_thread(sa.drain, 10)
        with pytest.raises(StreamAborted):
            await task

    asyncio.run(serve())
    assert source.closed.is_set()
    assert [summary.reason for summary in ended] == ["shutdown"]


def test_draining_with_no_streams_returns_at_once() -> None:
    assert sa.drain(0)


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), ("1", TypeError)])
def test_drain_refuses_a_timeout_that_is_negative_or_not_a_number(timeout: float, error: type[Exception]) -> None:
    with pytest.raises(error, match="timeout"):
        sa.drain(timeout)


def test_drain_ends_the_last_stream_first() -> None:
    ended: list[str] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def end(self, reason: str) -> None:
            ended.append(f"{self.name}: {reason}")
            unregister(self)

    streams = [Stream("outer"), Stream("inner")]
    for stream in streams:
        register(stream)
    assert sa.drain(10)
    assert ended == ["inner: shutdown", "outer: shutdown"]


def test_signal_outside_of_the_main_thread_is_left_to_its_handler_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=sa.drain_on_signal)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert "drain_on_signal: SIGTERM is not handled, because this is not the main thread" in caplog.text


def test_number_of_no_signal_is_an_error() -> None:
    with pytest.raises(ValueError, match="out of range"):
        sa.drain_on_signal(1000)


@asynccontextmanager
async def draining(app: Starlette) -> AsyncGenerator[None]:
    sa.drain_on_signal()
    yield


@pytest.mark.parametrize("client_of", [TestClient, stream_client])
def test_lifespan_that_drains_on_a_signal_starts_under_a_test_client(client_of: Any) -> None:
    app = Starlette(routes=[Route("/", PlainTextResponse("a"))], lifespan=draining)
    with client_of(app) as client:
        assert client.get("/").text == "a"
