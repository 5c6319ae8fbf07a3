"""A sync client's transport to an ASGI application, whose loop runs in another thread than the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Self, TypeVar

from stream_adapter.types import ASGIApp

from ._asgi import ASGIStreamTransport
from ._exchange import CLOSE_TIMEOUT, fail, read_timeout
from ._httpx import AnyRequest, AsyncByteStream, SyncByteStream, SyncTransport, is_whole, library_of
from ._location import thread_location

__all__ = ["BlockingASGITransport"]

T = TypeVar("T")

_BLOCKED_TIMEOUT = 0.1  # seconds to wait for a loop that was found blocked


class BlockingASGITransport(SyncTransport):
    """Send the requests of a sync client to an ASGI application, by an ASGIStreamTransport on a loop of its own.

    It must be entered, by its client. Its loop, and what the application keeps on it, live until it is closed. An
    application that blocks the loop causes a read timeout.

    Args:
        app: the application (ASGI 3.0).
        raise_app_exceptions: as for ASGIStreamTransport.
        close_timeout: as for ASGIStreamTransport.
    """

    def __init__(self, app: ASGIApp, *, raise_app_exceptions: bool, close_timeout: float | None) -> None:
        self._transport = ASGIStreamTransport(
            app, raise_app_exceptions=raise_app_exceptions, close_timeout=close_timeout
        )
        self._loop: _Loop | None = None

    def __enter__(self) -> Self:
        """Start the loop and the application."""
        self._loop = _Loop()
        try:
            self._loop.run(self._transport.__aenter__(), CLOSE_TIMEOUT)
        except BaseException:
            self._loop.close()
            raise
        return self

    def close(self) -> None:
        """Close every response that is still open, shut the application down, and end the loop.

        Raises:
            AssertionError: the application continues.
        """
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.finish(self._transport.aclose())
            finally:
                loop.close()

    def handle_request(self, request: AnyRequest) -> Any:
        """Call the application; return once it has started its response.

        Raises:
            RuntimeError: the client was not entered.
            ReadTimeout: of the client's library; the response has not started within the request's read timeout, or the
                loop is blocked.
        """
        if self._loop is None:
            raise RuntimeError("an ASGI application needs a client that is entered: with stream_client(app) as client")
        body = request.stream
        if not is_whole(body):
            request.stream = _SentFromThread(body)
        response = self._loop.read(self._transport.handle_async_request(request), request)
        response.stream = _ReadFromThread(self._loop, request, response.stream)
        return response


class _BlockedError(Exception):
    """The loop has run no callback within the timeout."""


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._blocked = False
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)), name="the loop of stream_client", daemon=True
        )
        self._thread.start()
        started.wait()

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        started.set()
        await self._stop.wait()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        """Return what the coroutine returns. It may take longer than the timeout if the loop runs callbacks.

        Args:
            coroutine: runs as a task.
            timeout: seconds within which the loop must run a callback.

        Raises:
            _BlockedError: it has not run one.
        """
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        if self._blocked:
            timeout = _BLOCKED_TIMEOUT
        while True:
            ran = threading.Event()
            self._loop.call_soon_threadsafe(ran.set)
            try:
                return future.result(timeout)
            except TimeoutError:
                if future.done():  # the coroutine has raised it
                    raise
                if not ran.is_set():
                    self._blocked = True
                    location = thread_location(self._thread)
                    raise _BlockedError(f"the application blocks the event loop. {location}") from None

    def read(self, coroutine: Coroutine[Any, Any, T], request: AnyRequest) -> T:
        """Run a coroutine that reads. A blocked loop is a read timeout."""
        limit = read_timeout(request)
        try:
            return self.run(coroutine, CLOSE_TIMEOUT if limit is None else limit)
        except _BlockedError as blocked:
            error = library_of(request).ReadTimeout(f"nothing came within {limit} s", request=request)
            error.add_note(str(blocked))
            raise error from None

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that closes. An application that continues fails the test."""
        unfinished: Exception | None = None
        try:
            self.run(coroutine, CLOSE_TIMEOUT)
        except (AssertionError, _BlockedError) as error:
            unfinished = error
        if unfinished is not None:
            fail(AssertionError(*unfinished.args))

    def close(self) -> None:
        """End the loop and its tasks. A blocked loop is abandoned."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_BLOCKED_TIMEOUT if self._blocked else CLOSE_TIMEOUT)


class _SentFromThread(AsyncByteStream):
    """The request body of a sync client, for the loop."""

    def __init__(self, body: SyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = iter(self._body)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part


class _ReadFromThread(SyncByteStream):
    """The response body on the loop, for a sync client."""

    def __init__(self, loop: _Loop, request: AnyRequest, body: AsyncByteStream) -> None:
        self._loop = loop
        self._request = request
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        blocks = aiter(self._body)
        while (block := self._loop.read(_next(blocks), self._request)) is not None:
            yield block

    def close(self) -> None:
        self._loop.finish(self._body.aclose())


async def _next(blocks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(blocks, None)
