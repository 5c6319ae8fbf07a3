"""A WSGI application under an ASGI server.

A thread calls it, iterates what it returns, and closes that; the pump hands the chunks over to the loop. After the
first chunk the pump iterates directly, without code of this file, unless a Content-Length must be checked.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from stream_adapter._app_protocol import check_protocol
from stream_adapter._body import AsyncBody, Hooks
from stream_adapter._headers import checked_headers, content_length, outgoing_head
from stream_adapter._limits import Limits, StreamSummary, check_seconds
from stream_adapter._pump import ThreadProducer, running_loop
from stream_adapter._request import RequestHead
from stream_adapter._resolved import OpenFile, Resolved
from stream_adapter._serve.asgi import deliver
from stream_adapter._serve.other_scopes import answer_other
from stream_adapter._serve.pathsend import offers_pathsend
from stream_adapter._serve.server_file import BLOCK
from stream_adapter._source import Kind, Source
from stream_adapter._status import is_bodiless
from stream_adapter._wsgi_protocol import HeldHead
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, WSGIApp

from .environ import environ_of
from .file_wrapper import FileWrapper
from .flow import flow_of, is_untimed
from .request_body import RequestBody

__all__ = ["to_asgi"]

_LIMITS = Limits()
_READ_AHEAD = 4 * BLOCK  # bytes of a file, read while as much is sent, so that neither waits each time
_STATUS_LINE = re.compile(r"([1-5]\d\d)( .*)?")


def to_asgi(
    app: WSGIApp,
    *,
    limits: Limits = _LIMITS,
    on_close: Callable[[StreamSummary], object] | None = None,
    receive_timeout: float | None = 30.0,
) -> ASGIApp:
    """Serve a WSGI application under ASGI.

    Each request has a thread of its own, in which the application is called, iterated and closed. The server answers an
    error before the first chunk; a disconnect closes the iterable. `wsgi.input` is read as the body arrives, `write()`
    sends at once. The lifespan is completed, websockets are refused.

    Args:
        app: the application (PEP 3333). Its environ has the scope as `asgi.scope`.
        limits: bounds and deadlines of each response.
        on_close: called with a StreamSummary when a response's iterable is closed.
        receive_timeout: seconds that a read of the request's body waits for a silent client, because it occupies a
            thread. Then it raises TimeoutError, and the answer is 408. None: without limit.

    Raises:
        TypeError: `app` is not a WSGI application.
        TypeError, ValueError: `receive_timeout` is not a positive number of seconds.
    """
    check_protocol(app, "WSGI", "serve it as it is")
    check_seconds("receive_timeout", receive_timeout)
    leaves_files = on_close is None and is_untimed(limits)  # what a server sends by itself is not reported
    reads_ahead = limits.high_water == _LIMITS.high_water

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        request = RequestBody(receive, awaited=b"expect" in names, timeout=receive_timeout)
        has_body = bool(names & {b"content-length", b"transfer-encoding"})
        environ = environ_of(scope, io.BufferedReader(request) if has_body else io.BytesIO())
        environ["stream_adapter.connection"] = request.connection
        pathsend = leaves_files and offers_pathsend(scope)
        source = _WSGISource(app, environ, request.want, leaves_files=pathsend, reads_ahead=reads_ahead)
        flow = flow_of(source.head, limits, on_close)
        head = RequestHead.from_scope(scope)
        resolved = Resolved(
            status=200, headers=[], source=Source(source, Kind.SYNC), flow=flow, body=None, request=head
        )
        body = AsyncBody(resolved, Hooks(on_stopping=request.lose))
        body.expect_reports()
        request.is_held = body.is_held
        source.body = body
        # refused, where all threads are in use or the client withholds its body
        await deliver(body, request.receive, send, pathsend=pathsend, refuses=True)

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        running_loop()  # raises on other event loops than asyncio's
        if scope["type"] != "http":
            await answer_other(scope, receive, send)
        else:
            await respond(scope, receive, send)

    return asgi


class _WSGISource:
    """The source of a response: one call of a WSGI application, and the iterable of its chunks.

    Args:
        app: the application.
        environ: the request.
        on_commit: called once status and headers are final.
        leaves_files: whether the server may send a whole file by its path.
        reads_ahead: whether more of a file is read than the limits say.

    Attributes:
        log_name: what it is in the log.
        body: the response, which is made of this source.
    """

    log_name = "WSGI application"
    body: AsyncBody

    def __init__(
        self, app: WSGIApp, environ: Environ, on_commit: Callable[[], object], *, leaves_files: bool, reads_ahead: bool
    ) -> None:
        self._app = app
        self._environ = environ
        self._on_commit = on_commit
        self._leaves_files = leaves_files
        self._reads_ahead = reads_ahead
        self._chunks: Iterable[bytes] = ()
        self._start_response = HeldHead(self._write, self._check)
        self._status = 200
        self._headers: list[tuple[str, str]] = []
        self._length: int | None = None
        self._sent = 0
        self._producer: ThreadProducer | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Call the application, up to its first chunk that is not empty: until then it may replace its head."""
        self._chunks = self._app(self._environ, self._start_response)
        if isinstance(self._chunks, FileWrapper) and self._chunks.is_regular and self._reads_ahead:
            self.body.read_ahead(_READ_AHEAD)
        whole = self._whole_file()
        chunks = iter(self._chunks)
        first: Iterable[bytes] = ()
        if not self._start_response.committed:
            for chunk in chunks:
                if chunk != b"":
                    first = (chunk,)
                    break
            self._commit()
        if self._is_bodiless():
            return iter(())
        if whole is not None and whole.size == self._length:
            self.body.file = whole  # before the first chunk, with which the event loop looks at it
        chunks = chain(first, chunks)
        return chunks if self._length is None else self._up_to(self._length, chunks)

    def _whole_file(self) -> OpenFile | None:
        """Return the file that the body is, before it is read, if the server may send it."""
        is_untouched = self._leaves_files and not self._start_response.committed
        return self._chunks.whole_file() if is_untouched and type(self._chunks) is FileWrapper else None

    def close(self) -> None:
        """Close what the application returned."""
        close: Callable[[], object] | None = getattr(self._chunks, "close", None)
        if close is not None:
            close()

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Return status and headers, which are final once there is a chunk."""
        self._on_commit()
        return self._status, self._headers

    def _commit(self) -> None:
        if not self._start_response.status:
            raise RuntimeError("the WSGI application did not call start_response before its first chunk (PEP 3333)")
        self._start_response.committed = True
        length = content_length(self._headers)
        self._length = None if self._is_bodiless() else length

    def _is_bodiless(self) -> bool:
        return self._environ["REQUEST_METHOD"] == "HEAD" or is_bodiless(self._status)

    def _up_to(self, length: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield as many bytes as Content-Length says: never ask for more, raise if there are fewer."""
        while self._sent < length:
            chunk = next(chunks, None)
            if chunk is None:
                raise RuntimeError(f"the WSGI application announced {length} bytes and sent {self._sent}")
            part = chunk[: length - self._sent]
            self._sent += len(part)
            yield part

    def _check(self, status: str, headers: list[tuple[str, str]]) -> None:
        """Check a head, and keep the fields that may be sent."""
        line = _STATUS_LINE.fullmatch(status)
        if line is None:
            raise ValueError(f"start_response: expected a status such as '200 OK', got {status!r}")
        self._status, self._headers = outgoing_head(int(line[1]), checked_headers(headers))

    def _write(self, chunk: bytes) -> None:
        """Send a chunk at once, or wait until there is room for it."""
        if not self._start_response.committed:
            self._commit()
        if not isinstance(chunk, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # applications need not be typed
            raise TypeError(f"write: expected bytes, got {type(chunk).__name__}")
        self._sent += len(chunk)
        if self._length is not None and self._sent > self._length:
            raise RuntimeError(f"write: {self._sent} bytes are more than the Content-Length of {self._length}")
        if not self._is_bodiless():
            producer = self._producer = self._producer or self.body.producer(ThreadProducer)
            producer.put(chunk)
            producer.wait_for_room()
            if producer.stopping:
                raise self.body.ending()
