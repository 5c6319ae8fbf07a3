"""One call of a WSGI application (PEP 3333), and the thread in which it is called, iterated and closed.

The head of the response is held until it is known whether it is a stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from http import HTTPStatus
from itertools import chain
from typing import Any, TypeVar

from stream_adapter._headers import has_field
from stream_adapter._log import describe_stream, log_stream
from stream_adapter._pump import lease
from stream_adapter._receive_timeout import BodyTimeout, bound_input
from stream_adapter._request import RequestHead
from stream_adapter._status import is_bodiless
from stream_adapter._wsgi_protocol import HeldHead
from stream_adapter.errors import RefusalError
from stream_adapter.types import Environ, ExcInfo, StartResponse, WSGIApp

__all__ = ["ApplicationCall", "ApplicationThread"]

T = TypeVar("T")

_END: Any = object()


class ApplicationCall:
    """One call of the application, and the iterable that it returned, which `close` closes once.

    Args:
        app: the application.
        environ: of the request.
        start_response: the server's.
        receive_timeout: seconds that a read of the request's body waits for a silent client; None: without limit.
        released: called when the iterable is closed.

    Attributes:
        chunks: the iterable.
        log_name: what it is in the log.
    """

    log_name = "application"

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
        """Whether the request is a HEAD."""
        return bool(self._environ.get("REQUEST_METHOD") == "HEAD")

    def begin(self) -> None:
        """Call the application."""
        self.chunks = self._app(self._environ, self._start_response)

    def is_ready(self) -> bool:
        """Return True if the body is complete, or a file: the server needs nothing else."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        return isinstance(self.chunks, (list, tuple)) or (
            isinstance(wrapper, type) and isinstance(self.chunks, wrapper)
        )

    def may_stream(self) -> bool:
        """Return True if the response is a stream, as far as is known before or after `start_response`.

        It is not a stream with a Content-Length, with a status without a body, with a body that is complete or written
        by `write()`, or for a HEAD without a chunk.
        """
        return not (
            self._write is not None
            or has_field(self.headers, "content-length")
            or (self.line and is_bodiless(self.status))
            or self.is_ready()
            or (self._iterator is not None and self.is_head and not self._first)
        )

    def take_first(self) -> None:
        """Take the first chunk. Until then the server answers an error, and the application may replace the head."""
        self._iterator = iter(self.chunks)
        self._first = next(((chunk,) for chunk in self._iterator if chunk != b""), ())
        if not self.line:
            raise RuntimeError("the application did not call start_response before its first chunk (PEP 3333)")

    def commit(self, line: str, headers: list[tuple[str, str]]) -> None:
        """Pass the head of a stream to the server."""
        self._check_answer()
        self._head.committed = True
        self._server(line, headers)

    def pass_through(self, headers: list[tuple[str, str]]) -> Iterable[bytes]:
        """Pass the head of a response that is not a stream to the server; return its body.

        From now on the application's `start_response` is the server's, so that it may still replace the head.
        """
        self._check_answer()
        self._passes = True
        if self.line and self._write is None:
            self._write = self._server(self.line, headers)
        return self.chunks if self._iterator is None else self

    def refusal(self, error: BaseException) -> RefusalError | None:
        """Return the refusal to send for an error that ended the call: its own, or that of a withheld body."""
        timeout = self._timeout()
        if timeout is not None and isinstance(error, Exception):
            name = describe_stream(RequestHead.from_environ(self._environ), self._app)
            log_stream(logging.DEBUG, name, "the client withheld the request's body", "answering 408", error=error)
            return timeout
        return error if isinstance(error, RefusalError) and not self._has_begun else None

    def _check_answer(self) -> None:
        """Replace an error response of the application by a refusal, if a withheld body is the reason.

        Raises:
            BodyTimeout: the response is an error or has not started, and the server has no head yet.
        """
        timeout = self._timeout()
        if timeout is not None and (not self.line or self.status >= HTTPStatus.BAD_REQUEST):
            raise timeout

    def _timeout(self) -> BodyTimeout | None:
        """Return the refusal for a client that withholds its body, while it can still be sent."""
        if self._input is None or not self._input.timed_out:
            return None
        return None if self._has_begun else BodyTimeout(self._input.seconds)

    @property
    def _has_begun(self) -> bool:
        return self._write is not None or self._head.committed or self._passes

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
        """Send a chunk of `write()`. The response then passes through."""
        if self._write is None:
            if self._head.committed:
                raise RuntimeError("write: called from within the returned iterable, which PEP 3333 forbids")
            self._head.committed = True
            self._write = self._server(self.line, self.headers)
        self._write(data)


class ApplicationThread:
    """A thread of the pool, and a copy of the request's context. The request's thread waits for its jobs.

    Raises:
        CapacityError: as many threads are leased as are allowed.

    Attributes:
        context: in which jobs run.
        submit: queues a job.
        release: returns the thread to the pool; no job may follow.
    """

    def __init__(self) -> None:
        worker = lease()
        self.context = copy_context()
        self.submit = worker.submit
        self.release = worker.release

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in the thread, and wait for it."""
        called = Future[T]()

        def job() -> None:
            try:
                called.set_result(self.context.run(function, *arguments))
            except BaseException as error:  # noqa: BLE001  # the waiting thread raises it
                called.set_exception(error)

        self.submit(job)
        return called.result()

    def pass_through(self, call: ApplicationCall, headers: list[tuple[str, str]]) -> Iterable[bytes]:
        """Pass a response through that is not a stream. The server gets a complete body or a file as it is."""
        body = call.pass_through(headers)
        if not call.is_ready():
            return _ThreadIterable(call, self)
        self.release()
        return body


class _ThreadIterable:
    """A body that is iterated and closed in the application's thread, for its thread-locals and connections."""

    def __init__(self, call: ApplicationCall, thread: ApplicationThread) -> None:
        self._call = call
        self._thread: ApplicationThread | None = thread
        self._run = thread.run

    def __iter__(self) -> Iterator[bytes]:
        chunks: Iterator[Any] = self._run(iter, self._call)
        chunk: Any
        while (chunk := self._run(next, chunks, _END)) is not _END:
            yield chunk

    def close(self) -> None:
        """Close the application's iterable. Does nothing the second time."""
        if self._thread is not None:
            self._thread = None
            self._run(self._call.close)
