"""One request to an ASGI application, as a server and a network treat it, without any buffer.

The application runs in a task of its own. Its `send` of a block returns once the client has taken the block, so the
application is at most one block ahead. When the client closes the response, `receive` returns `http.disconnect`, and
`send` does nothing, as under uvicorn.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from stream_adapter._serve.abort import raise_if_aborted
from stream_adapter.types import ASGIApp, Message, Scope

from ._exchange import Exchange, read_timeout
from ._httpx import AnyRequest, AsyncByteStream, is_whole
from ._location import task_location

__all__ = ["ASGIExchange"]

_CANCEL_GRACE = 1.0  # seconds that an application has to return once it is cancelled


class ASGIExchange(Exchange, AsyncByteStream):
    """One call of the application, in a task. That task offers blocks; the reader of the response takes them."""

    def __init__(self, request: AnyRequest, close_timeout: float | None, *, raises: bool) -> None:
        super().__init__(request, close_timeout, raises=raises)
        self._parts = aiter(_parts(request))
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_bodiless = False
        self._blocks: deque[tuple[bytes, asyncio.Future[None]]] = deque()
        self._changed = asyncio.Event()
        self._disconnected = asyncio.Event()

    def call(self, app: ASGIApp, scope: Scope, on_return: Callable[[ASGIExchange], object]) -> None:
        """Start the application's task.

        Args:
            app: the application.
            scope: of the request.
            on_return: called with this exchange once the application has returned.
        """
        coroutine = self._run(app, scope, on_return)
        self._task = asyncio.create_task(coroutine, name=f"{self._request.method} {scope['path']}")

    async def response(self) -> Any:
        """Wait for the start of the response, and return it."""
        await self._wait(lambda: self._status is not None)
        if self._status is None:
            self._raise_error()
            return self._server_error()
        return self._response(self._status, self._headers)

    @property
    def complete(self) -> bool:
        """Whether the client has read the whole body."""
        return self._is_bodiless or (self._complete and not self._blocks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Take one block after the other."""
        while True:
            await self._wait(lambda: self._blocks or self.complete)
            if self._blocks:
                block, taken = self._blocks.popleft()
                _resolve(taken)
                yield block
            else:
                self._check_complete()
                return

    async def aclose(self) -> None:
        """Disconnect."""
        await self.end(self._close_timeout)

    async def end(self, timeout: float | None) -> None:
        """Disconnect, and wait until the application has returned.

        Raises:
            AssertionError: it has not returned in time; it is cancelled.
            Exception: what it raised, if the test has not seen it yet, with `raise_app_exceptions`.
        """
        self._disconnected.set()
        for _, taken in self._blocks:
            _resolve(taken)
        if timeout is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=timeout)
        if not done:
            location = task_location(self._task)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_GRACE)
            self._fail_unfinished(timeout, location)
        self._raise_error()

    async def _run(self, app: ASGIApp, scope: Scope, on_return: Callable[[ASGIExchange], object]) -> None:
        try:
            await app(scope, self._receive, self._send)
            if not self._complete and not self._disconnected.is_set():
                done = "without starting a response" if self._status is None else "in the middle of its response"
                self._error = RuntimeError(f"the application returned {done}")
        except asyncio.CancelledError:
            self._error = self._error or RuntimeError("the application was cancelled")
            raise
        except Exception as error:  # noqa: BLE001  # it is raised where the test reads
            if not (self._disconnected.is_set() and isinstance(error, OSError)):  # an application reports a disconnect
                self._error = error
        finally:
            self._changed.set()
            on_return(self)

    async def _receive(self) -> Message:
        try:
            return {"type": "http.request", **await anext(self._parts)}
        except StopAsyncIteration:
            await self._disconnected.wait()
        except Exception as error:  # noqa: BLE001  # the client's own: raised in the test; the application is disconnected
            self._error, self._raises = error, True
            self._disconnected.set()
            self._changed.set()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._disconnected.is_set():
            await asyncio.sleep(0)
            return
        kind = message["type"]
        if kind == "http.response.start":
            if self._status is not None:
                raise RuntimeError("http.response.start was sent a second time")
            self._headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            status: int = message["status"]
            self._status, self._is_bodiless = status, self._without_body(status)
            self._changed.set()
        elif kind == "http.response.body":
            if self._status is None or self._complete:
                raise RuntimeError(f"{kind} was sent {'after the last one' if self._complete else 'before the start'}")
            block: object = message.get("body", b"")
            if not isinstance(block, bytes):
                raise_if_aborted(block)
                raise TypeError(f"{kind}: expected a body of bytes, got {type(block).__name__}")
            await self._offer(block)
            self._complete = not message.get("more_body", False)
            self._changed.set()
        elif kind != "http.response.trailers":  # a server that does not offer trailers drops them
            raise RuntimeError(f"expected http.response.start or http.response.body, got {kind!r}")

    async def _offer(self, block: bytes) -> None:
        """Wait until the client has taken a block."""
        if block and not self._is_bodiless:
            taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._blocks.append((block, taken))
            self._changed.set()
            await taken

    async def _wait(self, ready: Callable[[], object]) -> None:
        """Wait until `ready()` is true, or never will be."""
        since, limit = time.monotonic(), read_timeout(self._request)
        try:
            async with asyncio.timeout(limit):
                while not (ready() or self._error or self._task.done()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise self._timed_out(limit, since) from None


def _resolve(taken: asyncio.Future[None]) -> None:
    if not taken.done():
        taken.set_result(None)


async def _parts(request: AnyRequest) -> AsyncIterator[dict[str, object]]:
    """Yield the request's body, in the parts in which the client makes it."""
    stream = request.stream
    if is_whole(stream):
        yield {"body": b"".join(stream), "more_body": False}
        return
    if not hasattr(stream, "__aiter__"):
        raise TypeError(f"expected the request of an AsyncClient, got one whose body is a {type(stream).__name__}")
    async for part in stream:
        yield {"body": part, "more_body": True}
    yield {"body": b"", "more_body": False}
