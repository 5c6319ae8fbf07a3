"""For ASGI servers: a whole WSGI application, really streamed.

from stream_adapter.asgi import to_asgi

app = to_asgi(flask_app)
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from types import TracebackType

from a2wsgi.wsgi import Body, build_environ

from ._body import AsyncBody
from ._connection import ToldConnection
from ._edges.asgi import complete_lifespan, deliver, refuse, refuse_websocket
from ._limits import Limits, StreamSummary
from ._resolved import Flow, Resolved
from ._source import Source
from ._types import ASGIApp, Environ, ExcInfo, Message, Receive, Scope, Send, WSGIApp
from .errors import RefusalError
from .formats import Format
from .formats._base import ChunkFormat

__all__ = ["to_asgi"]

_BYTES = ChunkFormat()
_LIMITS = Limits()


def to_asgi(
    app: WSGIApp,
    *,
    limits: Limits = _LIMITS,
    on_close: Callable[[StreamSummary], object] | None = None,
) -> ASGIApp:
    """Serve a WSGI application under ASGI.

    Each request has a thread of its own for its whole life, in which the application is called, iterated and closed. An
    error before its first chunk is the server's to answer; a disconnect closes its iterable. Lifespan is completed, a
    websocket is refused.

    Args:
        app: the application (PEP 3333).
        limits: bounds and deadlines of each response.
        on_close: called with a StreamSummary when a response's iterable is closed.
    """

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await complete_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await refuse_websocket(receive, send)
        else:
            request = _RequestBody(scope, receive)
            call = _Call(app, request.environ())
            encoder = _BYTES.encoder(strict=True, charset="utf-8")
            flow = Flow(encoder, limits, "auto", commit_after=None, on_error=None, on_close=on_close, head_of=call.head)
            resolved = Resolved(status=200, headers=[], source=Source(call.run()), flow=flow, body=None)
            try:
                await deliver(AsyncBody(resolved), request.watch, send)
            except RefusalError as error:
                await refuse(error, send)

    return asgi


class _RequestBody:
    """The request's body, which the application reads in its thread, and then the disconnect, which we watch for."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        names = {name.lower() for name, _ in scope.get("headers", ())}
        self._has_body = bool(names & {b"content-length", b"transfer-encoding"})
        self._connection = ToldConnection()
        self._complete = asyncio.Event()
        if not self._has_body:
            self._complete.set()

    def environ(self) -> Environ:
        """Make the environ of the request."""
        loop = asyncio.get_running_loop()
        environ: Environ = dict(build_environ(self._scope, Body(loop, self._read)))  # type: ignore[arg-type]  # it spells the scope as a TypedDict
        environ["wsgi.errors"] = sys.stderr
        environ["stream_adapter.connection"] = self._connection
        if not self._has_body:
            environ["wsgi.input"] = io.BytesIO()
        return environ

    async def _read(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._complete.set()
            raise ConnectionResetError("the client disconnected before the end of the request's body")
        if not message.get("more_body", False):
            self._complete.set()
        return message

    async def watch(self) -> Message:
        """Receive what follows the body: nobody but the application takes its parts."""
        await self._complete.wait()
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._connection.tell()
        return message


class _Call:
    """One call of the application."""

    def __init__(self, app: WSGIApp, environ: Environ) -> None:
        self._app = app
        self._environ = environ
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._committed = False
        self._written: list[bytes] = []

    def run(self) -> Iterator[bytes]:
        """Call the application and yield its chunks; this generator is the source, and closes what it iterates."""
        chunks = self._app(self._environ, self._start_response)
        try:
            yield from self._take_written()
            for chunk in chunks:
                yield chunk
                yield from self._take_written()
        finally:
            close: Callable[[], object] | None = getattr(chunks, "close", None)
            if close is not None:
                close()

    def head(self, _: Format) -> tuple[int, list[tuple[str, str]]]:
        """Return status and headers at commit: from here on they are final."""
        if self._status is None:
            raise RuntimeError("the WSGI application did not call start_response before its first chunk")
        self._committed = True
        return self._status, self._headers

    def _take_written(self) -> Iterator[bytes]:
        written, self._written = self._written, []
        yield from written

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and self._committed and exc_info[1] is not None:
            traceback: TracebackType | None = exc_info[2]
            raise exc_info[1].with_traceback(traceback)
        if exc_info is None and self._status is not None:
            raise RuntimeError("start_response was called a second time without exc_info (PEP 3333)")
        self._status = int(status[:3])
        self._headers = list(headers)
        return self._written.append
