"""A stream as a Starlette response: a response like any other until it is called.

The first item is pulled inside `__call__`. Starlette and FastAPI await it within their exception handlers, and with the
dependencies still open, so what a source raises before its first item is answered as if the view had raised it.

A `stream_adapter.Response` may be shared by all requests of an application. Only the StreamResponse belongs to one
request: headers, cookies and a status are set on it, or on the response that FastAPI injects, and a copy is served.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextvars import copy_context
from copy import copy
from typing import Any, Unpack

from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import AsyncContentStream, StreamingResponse
from starlette.responses import Response as StarletteResponse

import stream_adapter as sa
from stream_adapter.formats import Format
from stream_adapter.integration import (
    AsyncBody,
    RefusalError,
    RequestHead,
    Resolved,
    ResponseKeywords,
    aclose_unopened,
    as_response,
    current_loop,
    deliver,
    deliver_plain,
    discard_unopened,
    is_bodiless,
    merge_headers,
    offers_pathsend,
    options_of,
    shows_options,
)
from stream_adapter.types import Receive, Scope, Send, Source

from ._contract import Contract, contract_of
from ._receiving import watched_receive
from ._refusals import AnsweringRefusals

__all__ = ["StreamResponse", "stream_response"]

logger = logging.getLogger("stream_adapter")

Pairs = list[tuple[str, str]]


class StreamResponse(StreamingResponse):
    """Stream a `stream_adapter.Response` from Starlette.

    What is put into `headers`, `raw_headers` and `status_code` before it is called is sent, and `set_cookie` works; the
    headers that belong to the format are added when the stream begins. `background` runs after the stream.
    `body_iterator` gives the body in blocks; what it is replaced by is sent in its place.

    Args:
        response: what is streamed. It is not changed.
        injected: FastAPI's response of this request, in which dependencies and the view set headers and a status. What
            the response says itself comes first.

    Attributes:
        request: whose body the source may read while it is streamed; None if it is not known yet.
    """

    def __init__(
        self,
        response: sa.Response,
        injected: StarletteResponse | None = None,
        request: Request[Any] | None = None,
    ) -> None:
        self.request = request
        options = options_of(response)
        self.status_code = options.status_code
        self.background: BackgroundTask | None = None
        self.raw_headers = _raw(options.headers)
        self._response = response
        self._injected = None if injected is None else _Injected(injected)
        self._body: AsyncBody | None = None
        self._taken = False
        # A sync view has a thread, and in it a copy of the context. Keep that copy: Starlette drops it.
        self._context = None if current_loop() else copy_context()
        self._replacement: AsyncContentStream | None = None

    # A property: an iterator that is kept would refer back to this object, a cycle per response.
    @property
    def body_iterator(self) -> AsyncContentStream:
        """The body in blocks, or what it was replaced by."""
        return self._blocks() if self._replacement is None else self._replacement

    @body_iterator.setter
    def body_iterator(  # pyright: ignore[reportIncompatibleVariableOverride]  # see above
        self, blocks: AsyncContentStream
    ) -> None:
        self._replacement = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, close its source, and run the background task.

        Raises:
            HTTPException: the stream was refused: 503, no thread is left for another sync source; 404, no such file.
            Exception: what ended the source; before the first item nothing was sent.
        """
        body: AsyncBody | None = None
        try:
            body = await self._opened(scope, send)
            if body is not None:
                if body.is_streaming:  # a complete body is not watched
                    receive = watched_receive(self.request, receive)
                await deliver(body, receive, send, pathsend=offers_pathsend(scope))
        except RefusalError:
            if body is None or not body.begun:
                with AnsweringRefusals(scope):
                    raise
            raise
        finally:
            await self.aclose()
            if self._injected is not None and self._injected.is_sent and self._injected.look():
                logger.warning(
                    "%s %s: headers or a status set in `response` after the first item are not sent",
                    scope["method"],
                    scope["path"],
                )
        if self.background is not None:
            await self.background()

    async def _opened(self, scope: Scope, send: Send) -> AsyncBody | None:
        """Return the body; None if it was sent at once."""
        resolved = await self._resolve(RequestHead.from_scope(scope), contract_of(scope))
        if resolved.is_plain and self._replacement is None:
            await deliver_plain(resolved, send)
            return None
        body = self._open(resolved)
        return body if self._replacement is None else await self._replaced(body, self._replacement)

    async def _resolve(self, head: RequestHead, contract: Contract | None = None) -> Resolved:
        response = self._response if contract is None else self._response.with_encoder(contract.encoder)
        options, injected, status = options_of(response), self._injected, self.status_code
        if injected is not None:
            injected.look()
            status = injected.status or status
        is_changed = status != options.status_code or self.raw_headers != _raw(options.headers)
        # most have no other head than their options, and that is made once for all requests
        given = self._head() if is_changed or (injected is not None and injected.has_headers) else None
        if given is not None:
            response = copy(response)
            response.status_code = status
            response.headers = given
        resolved = await response.aresolve(head)
        self._taken = True
        if injected is not None and not resolved.is_plain:
            self._accept_late_head(resolved, injected, self._head() if given is None else given)
        return resolved

    def _open(self, resolved: Resolved) -> AsyncBody:
        self._body = AsyncBody(resolved) if self._context is None else self._context.run(AsyncBody, resolved)
        return self._body

    def _head(self) -> Pairs:
        """Return the headers that were set for this response by now; its own come first."""
        own = self.headers.items()
        return own if self._injected is None else merge_headers(self._injected.headers, own)

    def _accept_late_head(self, resolved: Resolved, injected: _Injected, given: Pairs) -> None:
        """Have what is set in FastAPI's response before the first item sent, too."""
        settled = resolved.flow.head_of

        def head_of(format: Format) -> tuple[int, Pairs]:
            injected.is_sent = True
            status, headers = (resolved.status, resolved.headers) if settled is None else settled(format)
            if injected.look():
                now = self._head()
                removed = {name for name, _ in given} - {name for name, _ in now}
                headers = merge_headers(headers, [pair for pair in now if pair not in given], copied=removed)
                late = injected.status or status
                if is_bodiless(late) and resolved.body is None:
                    raise ValueError(f"status_code: {late} has no body, and the view has one; set it in a dependency")
                status = late
            return status, headers

        resolved.flow.head_of = head_of

    async def _blocks(self) -> AsyncIterator[bytes]:
        """Yield the body, which is opened here if the response was not called."""
        body = self._body or self._open(await self._resolve(RequestHead()))
        async for block in body:
            yield block

    async def _replaced(self, body: AsyncBody, blocks: AsyncContentStream) -> AsyncBody:
        """Return a body of what `body_iterator` was replaced by, which most often iterates the one before."""
        await body.start()
        if is_bodiless(body.status):
            return body
        headers = [pair for pair in body.headers if pair[0].lower() != "content-length"]
        replaced = sa.Response(blocks, status_code=body.status, headers=headers)
        return AsyncBody(await replaced.aresolve())

    def __del__(self) -> None:
        if not getattr(self, "_taken", True):  # not sent: the view has returned another response, or raised
            discard_unopened(self._response)

    async def aclose(self) -> None:
        """Close the source if the response was never called; does nothing otherwise."""
        if self._body is not None:
            await self._body.aclose()
        elif not self._taken:
            self._taken = True
            await aclose_unopened(self._response)


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers in the form in which Starlette has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class _Injected:
    """FastAPI's response of a request, and what was set in it since it was looked at.

    Attributes:
        is_sent: whether the head went out, with what was set by then.
    """

    __slots__ = ("_first_status", "_response", "_seen", "is_sent")

    def __init__(self, response: StarletteResponse) -> None:
        self._response = response
        self._first_status: int | None = response.status_code
        self.is_sent = False
        self._seen: tuple[int | None, list[tuple[bytes, bytes]]] | None = None

    @property
    def has_headers(self) -> bool:
        """Whether a header is set in it now."""
        return bool(self._response.raw_headers)

    @property
    def headers(self) -> Pairs:
        """What is set in it now."""
        return Headers(raw=self._response.raw_headers).items()

    @property
    def status(self) -> int | None:
        """The status, if another was set since the stream was made."""
        status: int | None = self._response.status_code
        return None if status == self._first_status else status

    def look(self) -> bool:
        """Return True if anything was set since the last look."""
        before, self._seen = self._seen, (self._response.status_code, list(self._response.raw_headers))
        return self._seen != before


@shows_options()
def stream_response(content: Source, **options: Unpack[ResponseKeywords]) -> StreamResponse:
    """Make the response that a view returns; nothing is pulled from the content here.

    Args:
        content: whatever a Response takes, or a Response.
        **options: those of Response; a Response's own come first.
    """
    return StreamResponse(as_response(content, **options))
