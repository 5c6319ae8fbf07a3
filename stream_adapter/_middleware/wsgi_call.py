"""One call of a WSGI application (PEP 3333): what it says is held until it is known what to make of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import chain
from typing import Any

from stream_adapter._headers import has_field, is_bodiless
from stream_adapter._log import describe_stream, log_stream
from stream_adapter._request import RequestHead
from stream_adapter._request_input import BodyTimeout, bound_input
from stream_adapter._wsgi_protocol import HeldHead
from stream_adapter.types import Environ, ExcInfo, StartResponse, WSGIApp

__all__ = ["Call"]


class Call:
    """One call of the application, and the iterable that it returned, which `close` closes once.

    Args:
        app: the application.
        environ: of the request.
        start_response: the server's.
        receive_timeout: seconds that a read of the request's body waits for a silent client; None for any.
        released: called when the iterable is closed.

    Attributes:
        chunks: the iterable.
    """

    def __init__(
        self,
        app: WSGIApp,
        environ: Environ,
        start_response: StartResponse,
        receive_timeout: float | None = None,
        released: Callable[[], object] | None = None,
    ) -> None:
        self._app = app
        self._environ = environ
        self._server = start_response
        self._released = released
        self._input = bound_input(environ, receive_timeout)
        self.chunks: Iterable[bytes] = ()
        self._iterator: Iterator[Any] | None = None
        self._first: tuple[Any, ...] = ()
        self._head = HeldHead(self._write_through)
        self._passes = False  # the response is not a stream, and the server has its head
        self._write: Callable[[bytes], object] | None = None

    @property
    def line(self) -> str:
        """The status line; "" until the application has called `start_response`."""
        return self._head.status

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the response."""
        return self._head.headers

    @property
    def status(self) -> int:
        """The status code of the response."""
        return int(self.line[:3])

    @property
    def is_head(self) -> bool:
        """Whether no body is asked for."""
        return bool(self._environ.get("REQUEST_METHOD") == "HEAD")

    def begin(self) -> None:
        """Call the application."""
        self.chunks = self._app(self._environ, self._start_response)

    def is_ready(self) -> bool:
        """Return True if the body is there already: only the server need look at it."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        return isinstance(self.chunks, (list, tuple)) or (
            isinstance(wrapper, type) and isinstance(self.chunks, wrapper)
        )

    def may_stream(self) -> bool:
        """Return True if the response is a stream, as far as the application has said: it may not have said anything.

        It is none if it has a length or a status without a body, if its body is there already or written, and if a HEAD
        has brought no chunk.
        """
        return not (
            self._write is not None
            or has_field(self.headers, "content-length")
            or (self.line and is_bodiless(self.status))
            or self.is_ready()
            or (self._iterator is not None and self.is_head and not self._first)
        )

    def pull(self) -> None:
        """Take the first chunk, before which an error is the server's to answer and the head may still change."""
        self._iterator = iter(self.chunks)
        self._first = next(((chunk,) for chunk in self._iterator if chunk != b""), ())
        if not self.line:
            raise RuntimeError("the application did not call start_response before its first chunk (PEP 3333)")

    def commit(self, line: str, headers: list[tuple[str, str]]) -> None:
        """Hand the head of a stream to the server."""
        self._check_answer()
        self._head.committed = True
        self._server(line, headers)

    def pass_on(self, headers: list[tuple[str, str]]) -> Iterable[bytes]:
        """Hand the head of a response that is not a stream to the server; return its body.

        What the application says from now on is the server's to judge: it may still replace the head.
        """
        self._check_answer()
        self._passes = True
        if self.line and self._write is None:
            self._write = self._server(self.line, headers)
        return self.chunks if self._iterator is None else self

    def refusal(self, error: BaseException) -> BodyTimeout | None:
        """Return what answers an error by which the call ended, if a withheld body is its reason."""
        timeout = self._timeout()
        if timeout is not None and isinstance(error, Exception):
            name = describe_stream(RequestHead.from_environ(self._environ), self._app)
            log_stream(logging.DEBUG, name, "the client withheld the request's body", "it is answered 408", error=error)
            return timeout
        return None

    def _check_answer(self) -> None:
        """Refuse an error that the application answers because the client withheld the body.

        Raises:
            BodyTimeout: it answers an error, or nothing, and the server has no head yet.
        """
        timeout = self._timeout()
        if timeout is not None and (not self.line or self.status >= HTTPStatus.BAD_REQUEST):
            raise timeout

    def _timeout(self) -> BodyTimeout | None:
        """Return the refusal of a client that was given up for withholding its body, while it can still be sent."""
        if self._input is None or not self._input.timed_out:
            return None
        begun = self._write is not None or self._head.committed or self._passes
        return None if begun else BodyTimeout(self._input.seconds)

    def __iter__(self) -> Iterator[Any]:
        """Iterate the chunks, of whatever type."""
        return chain(self._first, iter(self.chunks) if self._iterator is None else self._iterator)

    def close(self) -> None:
        """Close the application's iterable. Does nothing the second time."""
        chunks, self.chunks = self.chunks, ()
        released, self._released = self._released, None
        try:
            close: Callable[[], object] | None = getattr(chunks, "close", None)
            if close is not None:
                close()
        finally:
            if released is not None:
                released()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        if not self._passes:
            return self._head(status, headers, exc_info)
        self._write = self._server(status, headers, exc_info)
        return self._write

    def _write_through(self, data: bytes) -> None:
        """Send what the application writes rather than returns; the response then passes."""
        if self._write is None:
            if self._head.committed:
                raise RuntimeError("write: called from within the returned iterable, which PEP 3333 forbids")
            self._head.committed = True
            self._write = self._server(self.line, self.headers)
        self._write(data)
