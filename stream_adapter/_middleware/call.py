"""One call of a WSGI application (PEP 3333): what it says is held until it is known what to make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from stream_adapter._types import Environ, ExcInfo, StartResponse, WSGIApp

__all__ = ["Call"]


class Call:
    """One call of the application, and the iterable that it returned, which `close` closes once.

    Args:
        app: the application.
        environ: of the request.
        start_response: the server's.
        released: called when the iterable is closed.

    Attributes:
        chunks: the iterable.
        line: the status line; "" until the application has called `start_response`.
        headers: of the response.
    """

    def __init__(
        self,
        app: WSGIApp,
        environ: Environ,
        start_response: StartResponse,
        released: Callable[[], object] | None = None,
    ) -> None:
        self._app = app
        self._environ = environ
        self._start_response = start_response
        self._released = released
        self.chunks: Iterable[bytes] = ()
        self._iterator: Iterator[Any] | None = None
        self._first: tuple[Any, ...] = ()
        self.line = ""
        self._write: Callable[[bytes], object] | None = None
        self._committed = False  # the server has the head, and it can no longer be changed
        self.headers: list[tuple[str, str]] = []

    @property
    def status(self) -> int:
        """The status code of the response."""
        return int(self.line[:3])

    @property
    def has_head(self) -> bool:
        """Whether the application has called `start_response`."""
        return bool(self.line)

    def begin(self) -> None:
        """Call the application."""
        self.chunks = self._app(self._environ, self._hold_head)

    def is_ready(self) -> bool:
        """Say whether the body is there already: nobody need be asked for it but the server."""
        wrapper = self._environ.get("wsgi.file_wrapper")
        return isinstance(self.chunks, (list, tuple)) or (
            isinstance(wrapper, type) and isinstance(self.chunks, wrapper)
        )

    def streams(self) -> bool:
        """Say whether the response is a stream: it has no length, and its body is not there already."""
        return not (
            self._write is not None
            or any(name.lower() == "content-length" for name, _ in self.headers)
            or self.is_ready()
        )

    def pass_on(self) -> None:
        """Hand over the head as it is: the response is none of ours."""
        if self.has_head and self._write is None:
            self.commit(self.line, self.headers)

    def pull(self) -> None:
        """Take the first chunk, before which an error is the server's to answer and the head may still change."""
        self._iterator = iter(self.chunks)
        self._first = next(((chunk,) for chunk in self._iterator if chunk != b""), ())
        if not self.has_head:
            raise RuntimeError("the application did not call start_response before its first chunk (PEP 3333)")

    def commit(self, line: str, headers: list[tuple[str, str]]) -> Callable[[bytes], object]:
        """Hand the head to the server."""
        self._committed = True
        return self._start_response(line, headers)

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

    def _hold_head(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and exc_info[1] is not None and self._committed:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # which is a cycle with this frame
        if exc_info is None and self.has_head:
            raise RuntimeError("start_response was called a second time without exc_info (PEP 3333)")
        self.line, self.headers = status, list(headers)
        return self._write_through

    def _write_through(self, data: bytes) -> None:
        """Send what the application writes rather than returns; the response is then none of ours."""
        if self._write is None:
            self._write = self.commit(self.line, self.headers)
        self._write(data)
