"""Our response in Starlette's clothes: a response like any other until it is called, and then a stream.

The first item is pulled inside `__call__`. Starlette and FastAPI await it within their exception handlers, and with the
dependencies still open, so what a source raises before its first item is answered as if the view had raised it.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextvars import copy_context
from typing import Unpack

from fastapi import HTTPException
from starlette.background import BackgroundTask
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter.integration import (
    AsyncBody,
    RefusalError,
    RequestHead,
    ResponseOptions,
    as_response,
    deliver,
    offers_pathsend,
)
from stream_adapter.types import Receive, Scope, Send, Source

__all__ = ["StreamResponse", "stream_response"]


class StreamResponse(Response):
    """Stream a `stream_adapter.Response` from Starlette.

    What is put into `headers`, `raw_headers` and `status_code` before it is called is sent, and `set_cookie` works; the
    headers that belong to the format are added when the stream begins. `background` runs after the stream.

    Args:
        response: what is streamed; from here on it is this object's.
    """

    def __init__(self, response: sa.Response) -> None:
        self.status_code = response.status_code
        self.background: BackgroundTask | None = None
        self.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers
        ]
        self._response = response
        self._taken = False
        # A sync view has a thread, and in it a copy of the context: made there, we keep it, for Starlette will not.
        self._context = None if _on_a_loop() else copy_context()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, close its source, and run the background task.

        Raises:
            HTTPException: 503, as no thread is left for another sync source; 404, as there is no such file.
            Exception: what ended the source; before the first item nothing was sent.
        """
        try:
            body = await self._open(RequestHead.from_scope(scope))
            await deliver(body, receive, send, pathsend=offers_pathsend(scope))
        except RefusalError as error:
            raise HTTPException(error.status_code, headers={**error.headers}) from error
        finally:
            await self.aclose()
        if self.background is not None:
            await self.background()

    async def _open(self, head: RequestHead) -> AsyncBody:
        response = self._response
        response.status_code = self.status_code
        response.headers.clear()
        response.headers.extend(self.headers.items())
        resolved = await response.aresolve(head)
        self._taken = True
        context = copy_context() if self._context is None else self._context
        return context.run(AsyncBody, resolved)

    async def aclose(self) -> None:
        """Close the source if the response was never called; does nothing otherwise."""
        if not self._taken:
            self._taken = True
            with contextlib.suppress(sa.StreamAdapterError):  # it is another's by now, or holds nothing to close
                await AsyncBody(await self._response.aresolve()).aclose()


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def stream_response(content: Source, **options: Unpack[ResponseOptions]) -> StreamResponse:
    """Make the response that a view returns; nothing is pulled from the content here.

    Args:
        content: whatever a Response takes, or a Response.
        **options: those of Response; a Response's own come first.
    """
    return StreamResponse(as_response(content, **options))
