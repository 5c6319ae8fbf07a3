"""A WSGI application under an ASGI server.

Its thread calls it, iterates what it returns, and closes that; the pump takes the chunks over. Once the first chunk is
there the pump itself iterates: nothing of this file stands in between, unless a Content-Length is to be kept.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from stream_adapter._body import AsyncBody, Host
from stream_adapter._edges.asgi import answer_other, deliver, refuse
from stream_adapter._headers import content_length, make_headers
from stream_adapter._heads import without_hop_by_hop
from stream_adapter._limits import Limits, StreamSummary
from stream_adapter._resolved import Flow, Resolved
from stream_adapter._source import Source
from stream_adapter._types import ASGIApp, Environ, ExcInfo, Receive, Scope, Send, WSGIApp
from stream_adapter.errors import RefusalError
from stream_adapter.formats import Format
from stream_adapter.formats._base import ChunkFormat

from .body import RequestBody
from .environ import environ_of

__all__ = ["to_asgi"]

logger = logging.getLogger("stream_adapter")

_BYTES = ChunkFormat()
_LIMITS = Limits()
_STATUS_LINE = re.compile(r"([1-5]\d\d)( .*)?")


def to_asgi(
    app: WSGIApp,
    *,
    limits: Limits = _LIMITS,
    on_close: Callable[[StreamSummary], object] | None = None,
) -> ASGIApp:
    """Serve a WSGI application under ASGI.

    Each request has a thread of its own for its whole life, in which the application is called, iterated and closed. An
    error before its first chunk is the server's to answer; a disconnect closes its iterable. `wsgi.input` is read as
    the body arrives, `write()` sends at once. Lifespan is completed, a websocket is refused.

    Args:
        app: the application (PEP 3333). Its environ has the scope as `asgi.scope`.
        limits: bounds and deadlines of each response.
        on_close: called with a StreamSummary when a response's iterable is closed.
    """

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        request = RequestBody(receive, awaited=b"expect" in names)
        has_body = bool(names & {b"content-length", b"transfer-encoding"})
        environ = environ_of(scope, io.BufferedReader(request) if has_body else io.BytesIO())
        environ["stream_adapter.connection"] = request.connection
        call = _Call(app, environ, request.want)
        encoder = _BYTES.encoder(strict=True, charset="utf-8")
        flow = Flow(encoder, limits, "auto", commit_after=None, on_error=None, on_close=on_close, head_of=call.head)
        resolved = Resolved(status=200, headers=[], source=Source(call), flow=flow, body=None)
        body = AsyncBody(resolved, Host(stopping=request.lose))
        call.push = body.push
        await deliver(body, request.receive, send)

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await answer_other(scope, receive, send)
            return
        try:
            await respond(scope, receive, send)
        except RefusalError as error:
            await refuse(error, send)

    return asgi


class _Call:
    """One call of the application, and the iterable of its chunks.

    Args:
        app: the application.
        environ: the request.
        on_commit: called once status and headers are final.

    Attributes:
        push: takes a chunk that the application writes rather than yields.
    """

    def __init__(self, app: WSGIApp, environ: Environ, on_commit: Callable[[], object]) -> None:
        self._app = app
        self._environ = environ
        self._on_commit = on_commit
        self.push: Callable[[bytes], object] = _nowhere
        self._chunks: Iterable[bytes] = ()
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._committed = False
        self._length: int | None = None
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        """Call the application, as far as to its first chunk that is not empty: until then it may change its mind."""
        self._chunks = self._app(self._environ, self._start_response)
        chunks = iter(self._chunks)
        first: Iterable[bytes] = ()
        if not self._committed:
            for chunk in chunks:
                if chunk != b"":
                    first = (chunk,)
                    break
            self._commit()
        if self._is_bodiless():
            return iter(())
        chunks = chain(first, chunks)
        return chunks if self._length is None else self._up_to(self._length, chunks)

    def close(self) -> None:
        """Close what the application returned."""
        close: Callable[[], object] | None = getattr(self._chunks, "close", None)
        if close is not None:
            close()

    def head(self, _: Format) -> tuple[int, list[tuple[str, str]]]:
        """Return status and headers, which are final once there is a chunk."""
        self._on_commit()
        return self._status or 200, self._headers

    def _commit(self) -> None:
        if self._status is None:
            raise RuntimeError("the WSGI application did not call start_response before its first chunk (PEP 3333)")
        self._committed = True
        length = content_length(self._headers)
        self._length = None if self._is_bodiless() else length

    def _is_bodiless(self) -> bool:
        status = self._status or 200
        return self._environ["REQUEST_METHOD"] == "HEAD" or status < 200 or status in {204, 304}

    def _up_to(self, length: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Send what Content-Length says: not more, for which nobody is asked, and not less without an error."""
        while self._sent < length:
            chunk = next(chunks, None)
            if chunk is None:
                raise RuntimeError(f"the WSGI application announced {length} bytes and sent {self._sent}")
            part = chunk[: length - self._sent]
            self._sent += len(part)
            yield part

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if self._committed and exc_info is not None and exc_info[1] is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._committed or (exc_info is None and self._status is not None):
            raise RuntimeError("start_response was called a second time without exc_info (PEP 3333)")
        line = _STATUS_LINE.fullmatch(status)
        if line is None:
            raise ValueError(f"start_response: expected a status such as '200 OK', got {status!r}")
        self._status = int(line[1])
        self._headers = without_hop_by_hop(make_headers(headers))
        return self._write

    def _write(self, chunk: bytes) -> None:
        """Send a chunk at once, or wait until there is room for it."""
        if not self._committed:
            self._commit()
        if not isinstance(chunk, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # applications need not be typed
            raise TypeError(f"write: expected bytes, got {type(chunk).__name__}")
        self._sent += len(chunk)
        if self._length is not None and self._sent > self._length:
            raise RuntimeError(f"write: {self._sent} bytes are more than the Content-Length of {self._length}")
        if not self._is_bodiless():
            self.push(chunk)


def _nowhere(_: bytes) -> None:
    raise NotImplementedError
