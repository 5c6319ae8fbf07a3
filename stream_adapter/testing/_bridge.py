"""A sync client's way to an ASGI application: its loop runs in a thread beside the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self, cast

import anyio.to_thread
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from stream_adapter._types import ASGIApp

from ._asgi import ASGIStreamTransport

__all__ = ["BlockingASGITransport"]


class BlockingASGITransport(httpx.BaseTransport):
    """Send the requests of an `httpx.Client` to an ASGI application, by an ASGIStreamTransport on a loop of its own.

    It is entered, by its client: its loop lives until it is closed, and with it whatever the application keeps there.

    Args:
        app: the application (ASGI 3.0).
        raise_app_exceptions: as for ASGIStreamTransport.
        close_timeout: as for ASGIStreamTransport.
    """

    def __init__(self, app: ASGIApp, *, raise_app_exceptions: bool, close_timeout: float | None) -> None:
        self._transport = ASGIStreamTransport(
            app, raise_app_exceptions=raise_app_exceptions, close_timeout=close_timeout
        )
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        """Start the loop and the application."""
        portal = self._portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        try:
            entered: AbstractContextManager[object] = portal.wrap_async_context_manager(self._transport)
            self._stack.enter_context(entered)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Close the transport."""
        self.close()

    def close(self) -> None:
        """Leave every response that is still open, shut the application down, and end the loop."""
        self._stack.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Call the application; return once it has started its response.

        Raises:
            RuntimeError: the client was not entered.
        """
        if self._portal is None:
            raise RuntimeError("an ASGI application needs a client that is entered: with stream_client(app) as client")
        body = request.stream
        if not isinstance(body, httpx.ByteStream):
            request.stream = _SentFromThread(cast("httpx.SyncByteStream", body))
        response = self._portal.call(self._transport.handle_async_request, request)
        response.stream = _ReadFromThread(self._portal, cast("httpx.AsyncByteStream", response.stream))
        return response


class _SentFromThread(httpx.AsyncByteStream):
    """A request's body that a sync client makes."""

    def __init__(self, body: httpx.SyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = iter(self._body)
        while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
            yield part


class _ReadFromThread(httpx.SyncByteStream):
    """A response's body that a sync client reads."""

    def __init__(self, portal: BlockingPortal, body: httpx.AsyncByteStream) -> None:
        self._portal = portal
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        blocks = aiter(self._body)
        while True:
            block = self._portal.call(_next, blocks)
            if block is None:
                return
            yield block

    def close(self) -> None:
        self._portal.call(self._body.aclose)


async def _next(blocks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(blocks, None)
