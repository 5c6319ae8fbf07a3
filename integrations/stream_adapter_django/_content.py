"""The content of Django's response: opened once, handed out as it is, closed however the response ends.

Under WSGI the server calls `close()`. Under ASGI Django closes what `__aiter__` returns, and only then the response. A
middleware may replace `streaming_content`, or drop the response for another; what was opened is closed in each case.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from django.http import StreamingHttpResponse

from stream_adapter import Response
from stream_adapter.integration import (
    AsyncBody,
    Resolved,
    ServerFile,
    SyncBody,
    close_unopened,
    discard_unopened,
    is_bodiless,
    outgoing_head,
    server_file,
)

from ._blocks import Blocks, HeldAsyncBlocks, HeldBlocks
from ._compat import compresses, content_of, fields_of, replace_content, set_content
from ._gzip import acompressed, compressed, refuse_members, refuse_members_async
from ._requests import RequestInfo, current_request_info, request_info
from ._threads import asgi_hooks, stream_context, under_asgi, wsgi_hooks

__all__ = ["StreamContent"]


class StreamContent(StreamingHttpResponse):
    """A streaming response whose content is a stream's. Left as it is, it starts when it is iterated.

    Args:
        response: what is streamed.
        request: what it answers; None for the request that is being served, as far as that is known.
        content_type: that is assumed until the first item decides it.
    """

    def __init__(self, response: Response, request: object | None, content_type: str) -> None:
        super().__init__(status=response.status_code, content_type=content_type)
        self._stream = response
        self._is_request_given = request is not None
        self._request_info: RequestInfo = current_request_info() if request is None else request_info(request)
        self._own = content_of(self)  # an empty one, until the stream is opened
        self._handed: Callable[[], HeldBlocks | HeldAsyncBlocks | None] = _nothing
        self._opened: SyncBody | Blocks | None = None
        self._file: ServerFile | None = None
        self._close_content: Callable[[], object] = partial(close_unopened, response)
        self.is_async = self.on_loop

    def bind(self, request: object | None) -> None:
        """Set the request that this response answers, unless it was made with one."""
        if request is None or self._is_request_given or self._opened is not None:
            return
        self._request_info = request_info(request)
        self._is_request_given = True
        self.is_async = self.on_loop

    @property
    def on_loop(self) -> bool:
        """True under ASGI, by the type of the request; by a running loop if that type is not known."""
        is_asgi = self._request_info.is_asgi
        return under_asgi() if is_asgi is None else is_asgi

    def _open_sync(self) -> SyncBody:
        """Open the stream for WSGI; a decorator of the view that reads the content has done so already."""
        if isinstance(self._opened, SyncBody):
            return self._opened
        environ = self._request_info.environ
        body = self._opened = SyncBody(self._stream.resolve(self._request_info.head), wsgi_hooks(environ))
        self._file = None if body.file is None else server_file(body, environ or {})
        self._use(_iterate(body), body.close, is_async=False)
        return body

    def _open_async(self) -> Blocks:
        """Open the stream for ASGI, unless that was done."""
        if isinstance(self._opened, Blocks):
            return self._opened
        blocks = self._opened = Blocks(
            partial(self._stream.aresolve, self._request_info.head), _async_body, partial(close_unopened, self._stream)
        )
        self._use(blocks, blocks.close_soon, is_async=True)
        return blocks

    def _use(self, content: Any, close: Callable[[], object], *, is_async: bool) -> None:
        self._own = content
        replace_content(self, content)
        self._close_content = weakref.finalize(self, close)  # also when the response is dropped for another
        self.is_async = is_async

    def _open_unrendered(self, *, is_async: bool) -> None:
        if self._opened is None and self._is_untouched:
            self._open_async() if is_async else self._open_sync()

    @property
    def _is_untouched(self) -> bool:
        return content_of(self) is self._own

    def _hand_out(self) -> Any:
        """Return the blocks, or what a middleware has put in their place; the same object while it is in use."""
        handed = self._handed()
        if handed is not None:
            return handed
        blocks: Any = self._own if self._is_untouched else super().streaming_content
        handed = HeldAsyncBlocks(blocks) if self.is_async else HeldBlocks(blocks)
        handed.holds = self
        self._handed = weakref.ref(handed)
        return handed

    @property
    def streaming_content(self) -> Any:
        """The blocks, without Django's wrapper around each, or what a middleware has put in their place."""
        self._open_unrendered(is_async=self.is_async)
        return self._hand_out()

    @streaming_content.setter
    def streaming_content(self, value: Any) -> None:
        if compresses(value):
            compress: Any = acompressed if self.is_async else compressed
            value = compress(self._hand_out(), self._is_bodiless)
        handed = self.__dict__.pop("_handed", _nothing)()
        if handed is not None:
            handed.holds = None  # `value` holds it from here on, and the response holds `value`
        self._handed = _nothing
        set_content(self, value)

    def _is_bodiless(self) -> bool:
        return self._request_info.head.method == "HEAD" or self._has_no_content

    @property
    def _has_no_content(self) -> bool:
        """True if the status, as set by now, is one of responses without content."""
        return is_bodiless(self.status_code)

    def has_header(self, header: str) -> bool:
        """Return True if the response has the header, or cannot have a Content-Encoding: compressors ask for it.

        A part of a file is that of the bytes which Content-Range numbers, and 204 has nothing to compress.
        """
        is_settled = self.status_code in {204, 206} and header.lower() == "content-encoding"
        return is_settled or super().has_header(header)

    block_size = 1 << 18  # bytes that a server reads at a time

    @property
    def file_to_stream(self) -> ServerFile | None:
        """The file that Django's WSGI handler gives to a server which sends it by itself."""
        return self._file if self._is_untouched and not self._has_no_content else None

    def __iter__(self) -> Iterator[bytes]:
        if self._has_no_content:
            return iter(())
        self._open_unrendered(is_async=False)
        if self.is_async:
            return super().__iter__()  # Django's own: it warns, and collects
        if not self._is_untouched and self.headers.get("Content-Encoding") == "gzip":
            return refuse_members(self._hand_out())
        handed: Iterator[bytes] = self._hand_out()
        return handed

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._has_no_content:
            return _no_blocks()
        self._open_unrendered(is_async=True)
        if self._is_untouched and self.is_async:
            handed: AsyncIterator[bytes] = self._hand_out()
            return handed
        return self._replaced_blocks()

    async def _replaced_blocks(self) -> AsyncIterator[bytes]:
        replacement = content_of(self)
        blocks = super().__aiter__()
        if self.headers.get("Content-Encoding") == "gzip":
            blocks = refuse_members_async(blocks)
        try:
            async for block in blocks:
                yield block
        finally:
            if hasattr(replacement, "aclose"):
                await replacement.aclose()
            if isinstance(self._own, Blocks):
                await self._own.aclose()

    def items(self) -> Any:
        """Return the headers, as Django's handlers do when they send them: checked as every head is.

        Raises:
            ValueError: the status, a name or a value may not be sent.
            ContentLengthError: a body whose length is known has another one.
        """
        try:
            _, sent = outgoing_head(self.status_code, fields_of(self).values())
            if self._opened is not None and self._is_untouched:
                self._opened.hold_to(sent)
        except Exception:
            self.close()  # the server does not
            raise
        return sent

    def __del__(self) -> None:
        if getattr(self, "_opened", self) is None and not self.closed:  # not sent: the view returned another, or raised
            discard_unopened(self._stream)

    def close(self) -> None:
        """Close the stream, in any state, and then what Django closes."""
        self._close_content()
        super().close()


def _nothing() -> None:
    """Return None, as a weak reference to a dropped object does."""


async def _no_blocks() -> AsyncIterator[bytes]:
    for block in tuple[bytes]():
        yield block


def _async_body(resolved: Resolved) -> AsyncBody:
    return stream_context(lambda: AsyncBody(resolved, asgi_hooks()))


def _iterate(body: SyncBody) -> Iterator[bytes]:
    yield from body
