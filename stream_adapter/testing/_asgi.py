"""The client's way to an ASGI application in this process, block by block.

What a server and a network do for a stream is done here too, and nothing is gathered: the application runs in a task of
its own; its `send` of a block returns once the client has taken it, so it is never more than one block ahead; when the
client closes the response, `receive` returns `http.disconnect`, and `send` does nothing, as under uvicorn and its like.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from stream_adapter.types import ASGIApp, Message, Scope

from ._httpx import AnyRequest, AsyncByteStream, AsyncTransport, is_whole, library_of
from ._lifespan import Lifespan
from ._location import task_stands
from ._transcript import (
    CLIENT,
    CLOSE_TIMEOUT,
    EXCHANGE,
    broken,
    fail,
    read_timeout,
    server_error,
    silent_too_long,
    still_running,
    without_body,
)

__all__ = ["ASGIStreamTransport"]

_CANCEL_GRACE = 1.0  # seconds that an application has to return once it is cancelled


class ASGIStreamTransport(AsyncTransport):
    """Send the requests of an async client, of httpx2 or httpx, to an ASGI application, and stream what it answers.

        async with httpx2.AsyncClient(transport=ASGIStreamTransport(app), base_url="http://testserver") as client:
            async with client.stream("GET", "/events") as response:
                async for line in response.aiter_lines():
                    ...

    The application is stopped while the test does not read. Closing the response is a disconnect, and is done when the
    application has returned. Entered, by itself or with its client, it runs the application's lifespan. It is for
    asyncio.

    Args:
        app: the application (ASGI 3.0).
        raise_app_exceptions: whether what the application raises is raised where the test waits for the response or
            reads it; if not, the client sees what it would see of a server: a 500, or, after the start,
            a `RemoteProtocolError`.
        root_path: where the application is mounted.
        client: the client's address and port.
        close_timeout: seconds that the application has to return once the client has left, or its response is complete;
            it is cancelled then, and closing the response is an AssertionError. None: it is waited for when the
            transport closes, not when the response does.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = CLIENT,
        close_timeout: float | None = CLOSE_TIMEOUT,
    ) -> None:
        self._app = app
        self._lifespan = Lifespan(app)
        self._raise = raise_app_exceptions
        self._root_path = root_path
        self._client = client
        self._close_timeout = close_timeout
        self._open: set[_Exchange] = set()

    async def __aenter__(self) -> Self:
        """Start the application up."""
        await self._lifespan.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Close the transport."""
        await self.aclose()

    async def aclose(self) -> None:
        """Leave every response that is still open, and shut the application down."""
        try:
            for exchange in tuple(self._open):
                await exchange.end(CLOSE_TIMEOUT if self._close_timeout is None else self._close_timeout)
        finally:
            await self._lifespan.stop()

    async def handle_async_request(self, request: AnyRequest) -> Any:
        """Call the application; return once it has started its response.

        Raises:
            ReadTimeout: of the client's library; it has not within the request's read timeout.
            Exception: what it raised before that, if asked for.
        """
        exchange = _Exchange(request, self._close_timeout, self._open, raises=self._raise)
        exchange.call(self._app, self._scope(request))
        try:
            return await exchange.response()
        except BaseException:
            await exchange.aclose()
            raise

    def _scope(self, request: AnyRequest) -> Scope:
        url = request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": self._root_path,
            "client": self._client,
            "server": (url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)),
            "state": self._lifespan.state.copy(),
        }


class _Exchange(AsyncByteStream):
    """One call of the application. Its task sends; whoever reads the response takes."""

    def __init__(
        self, request: AnyRequest, close_timeout: float | None, opened: set[_Exchange], *, raises: bool
    ) -> None:
        self._request = request
        self._close_timeout = close_timeout
        self._opened = opened
        self._raises = raises
        self._parts = aiter(_parts(request))
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._without_body = False
        self._blocks: deque[tuple[bytes, asyncio.Future[None]]] = deque()
        self._complete = False
        self._arrived = asyncio.Event()  # something to look at
        self._gone = asyncio.Event()
        self._error: Exception | None = None
        self.unfinished: AssertionError | None = None  # it had not returned when the client left

    def call(self, app: ASGIApp, scope: Scope) -> None:
        """Begin."""
        self._opened.add(self)
        self._task = asyncio.create_task(self._run(app, scope), name=f"{self._request.method} {scope['path']}")

    async def response(self) -> Any:
        """Wait for the start of the response."""
        await self._wait(lambda: self._status is not None)
        if self._status is None:
            self._raise_error()
            return server_error(self._request)
        extensions = {"http_version": b"HTTP/1.1", EXCHANGE: self}
        return library_of(self._request).Response(
            self._status, headers=self._headers, stream=self, extensions=extensions
        )

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be read, and nothing will come."""
        return self._without_body or (self._complete and not self._blocks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Take block after block."""
        while True:
            await self._wait(lambda: self._blocks or self.complete)
            if self._blocks:
                block, taken = self._blocks.popleft()
                _release(taken)
                yield block
            elif self.complete:
                return
            else:
                self._raise_error()
                raise broken(self._request)

    async def aclose(self) -> None:
        """Leave."""
        await self.end(self._close_timeout)

    async def end(self, timeout: float | None) -> None:
        """Leave, and wait until the application has returned.

        Raises:
            AssertionError: it has not; it was cancelled.
            Exception: what it raised and nobody was told of, if that is asked for.
        """
        self._gone.set()
        for _, taken in self._blocks:
            _release(taken)
        if timeout is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=timeout)
        if not done:
            where = task_stands(self._task)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_GRACE)
            self.unfinished = still_running(self._request, timeout, complete=self._complete, where=where)
            fail(self.unfinished)
        self._raise_error()

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
            if not self._complete and not self._gone.is_set():
                done = "without starting a response" if self._status is None else "in the middle of its response"
                self._error = RuntimeError(f"the application returned {done}")
        except asyncio.CancelledError:
            self._error = self._error or RuntimeError("the application was cancelled")
            raise
        except Exception as error:  # noqa: BLE001  # it is raised where the test reads
            if not (self._gone.is_set() and isinstance(error, OSError)):  # how an application says that the client left
                self._error = error
        finally:
            self._arrived.set()
            self._opened.discard(self)

    async def _receive(self) -> Message:
        try:
            return {"type": "http.request", **await anext(self._parts)}
        except StopAsyncIteration:
            await self._gone.wait()
        except Exception as error:  # noqa: BLE001  # the client's own, and raised there; to the application it has left
            self._error, self._raises = error, True
            self._gone.set()
            self._arrived.set()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            await asyncio.sleep(0)
            return
        kind = message["type"]
        if kind == "http.response.start":
            if self._status is not None:
                raise RuntimeError("http.response.start was sent a second time")
            self._headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            status: int = message["status"]
            self._status, self._without_body = status, without_body(self._request.method, status)
            self._arrived.set()
        elif kind == "http.response.body":
            if self._status is None or self._complete:
                raise RuntimeError(f"{kind} was sent {'after the last one' if self._complete else 'before the start'}")
            block: object = message.get("body", b"")
            if not isinstance(block, bytes):
                raise TypeError(f"{kind}: expected a body of bytes, got {type(block).__name__}")
            await self._offer(block)
            self._complete = not message.get("more_body", False)
            self._arrived.set()
        elif kind != "http.response.trailers":  # which a server drops that has not offered them
            raise RuntimeError(f"expected http.response.start or http.response.body, got {kind!r}")

    async def _offer(self, block: bytes) -> None:
        if block and not self._without_body:
            taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._blocks.append((block, taken))
            self._arrived.set()
            await taken

    async def _wait(self, ready: Callable[[], object]) -> None:
        """Wait until something is there, or nothing will be."""
        since, limit = time.monotonic(), read_timeout(self._request)
        try:
            async with asyncio.timeout(limit):
                while not (ready() or self._error or self._task.done()):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise silent_too_long(self._request, limit, since) from None

    def _raise_error(self) -> None:
        """Raise what ended the application, once, if that is asked for."""
        error, self._error = self._error, None
        if error is not None and self._raises:
            fail(error)


def _release(taken: asyncio.Future[None]) -> None:
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
