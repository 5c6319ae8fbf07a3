"""The content of Django's response: opened once, handed out as it is, closed however the response ends.

Under WSGI the server calls `close()`. Under ASGI Django closes what `__aiter__` returns, and only then the response. A
middleware may replace `streaming_content`, or drop the response for another; what was opened is closed all the same.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import Http404, HttpRequest, StreamingHttpResponse

from stream_adapter import Response, StreamAdapterError
from stream_adapter.integration import (
    AsyncBody,
    NotFoundError,
    RequestHead,
    Resolved,
    ServerFile,
    SyncBody,
    server_file,
)

from ._asgiref import stream_context, under_asgi
from ._blocks import Blocks
from ._threads import asgi_host, wsgi_host

__all__ = ["StreamContent"]


class StreamContent(StreamingHttpResponse):
    """A streaming response whose content is a stream's. Left as it is, it starts when it is iterated.

    Args:
        response: what is streamed.
        request: what it answers, if that is known.
    """

    _iterator: Any  # Django's: what `streaming_content` was last set to

    def __init__(self, response: Response, request: HttpRequest | None) -> None:
        super().__init__(status=response.status_code)
        self._stream = response
        self._request: HttpRequest | None = request
        self._own = self._iterator  # an empty one, until the stream is opened
        self._opened: SyncBody | Blocks | None = None
        self._file: ServerFile | None = None
        self._close_content: Callable[[], object] = partial(_close_unopened, response)
        self.is_async = self.on_loop

    def bind(self, request: HttpRequest | None) -> None:
        """Say which request it answers, unless it knows."""
        self._request = self._request or request
        if self._opened is None:
            self.is_async = self.on_loop

    @property
    def on_loop(self) -> bool:
        """Whether it is served under ASGI: the request's type says, or, where that is not known, a running loop."""
        request = self._request
        return isinstance(request, ASGIRequest) or (not isinstance(request, WSGIRequest) and under_asgi())

    def _open_sync(self) -> SyncBody:
        """Open it for WSGI, unless a decorator of the view has, by looking at its content."""
        if isinstance(self._opened, SyncBody):
            return self._opened
        environ = self._request.environ if isinstance(self._request, WSGIRequest) else None
        body = self._opened = SyncBody(_resolve(self._stream, self._request), wsgi_host(environ))
        self._file = server_file(body, environ or {})
        self._use(_iterate(body), body.close, is_async=False)
        return body

    def _open_async(self) -> Blocks:
        """Open it for ASGI, likewise."""
        if isinstance(self._opened, Blocks):
            return self._opened
        blocks = self._opened = Blocks(
            partial(_aresolve, self._stream, self._request), _async_body, partial(_close_unopened, self._stream)
        )
        self._use(blocks, blocks.close_soon, is_async=True)
        return blocks

    def _use(self, content: Any, close: Callable[[], object], *, is_async: bool) -> None:
        self._own = self._iterator = content
        self._close_content = weakref.finalize(self, close)  # also when the response is dropped for another
        self.is_async = is_async

    def _open_unrendered(self, *, is_async: bool) -> None:
        if self._opened is None and self._iterator is self._own:
            self._open_async() if is_async else self._open_sync()

    @property
    def streaming_content(self) -> Any:
        """The blocks, without Django's wrapper around each, or what a middleware has put in their place."""
        self._open_unrendered(is_async=self.is_async)
        return self._own if self._iterator is self._own else super().streaming_content

    @streaming_content.setter
    def streaming_content(self, value: Any) -> None:
        self._set_streaming_content(value)  # type: ignore[attr-defined]  # django-stubs leaves this hook out

    block_size = 1 << 18  # bytes that a server reads at a time

    @property
    def file_to_stream(self) -> ServerFile | None:
        """The file that Django's WSGI handler gives to a server which sends it by itself."""
        return self._file if self._iterator is self._own else None

    def __iter__(self) -> Iterator[bytes]:
        self._open_unrendered(is_async=False)
        return super().__iter__()

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._open_unrendered(is_async=True)
        return self._own if self._iterator is self._own and self.is_async else self._replaced_blocks()

    async def _replaced_blocks(self) -> AsyncIterator[bytes]:
        replacement = self._iterator
        try:
            async for block in super().__aiter__():
                yield block
        finally:
            if hasattr(replacement, "aclose"):
                await replacement.aclose()
            if isinstance(self._own, Blocks):
                await self._own.aclose()

    def close(self) -> None:
        """Close the stream, in whatever state, and then what Django closes."""
        self._close_content()
        super().close()


def _head(request: HttpRequest | None) -> RequestHead:
    return RequestHead() if request is None else RequestHead.from_environ(request.META)


def _resolve(stream: Response, request: HttpRequest | None) -> Resolved:
    try:
        return stream.resolve(_head(request))
    except NotFoundError as error:
        raise Http404(str(error)) from error


async def _aresolve(stream: Response, request: HttpRequest | None) -> Resolved:
    try:
        return await stream.aresolve(_head(request))
    except NotFoundError as error:
        raise Http404(str(error)) from error


def _async_body(resolved: Resolved) -> AsyncBody:
    return stream_context(lambda: AsyncBody(resolved, asgi_host()))


def _iterate(body: SyncBody) -> Iterator[bytes]:
    yield from body


def _close_unopened(stream: Response) -> None:
    with suppress(StreamAdapterError):  # another response has taken its source, and closes it
        SyncBody(stream.resolve()).close()
