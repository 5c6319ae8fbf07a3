"""The client's way to a WSGI application in this process, block by block.

The application is called, iterated and closed in one thread of its own, as by a threaded server: so a read can time
out, and `close` runs where the iteration did. The thread hands over one block and goes on once the client has taken it.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from stream_adapter._body import ClientDisconnected
from stream_adapter._connection import NotifiedConnection
from stream_adapter._wsgi_protocol import HeldHead
from stream_adapter.types import Environ, WSGIApp

from ._httpx import AnyRequest, SyncByteStream, SyncTransport, library_of
from ._location import thread_stands
from ._transcript import (
    CLIENT,
    CLOSE_TIMEOUT,
    EXCHANGE,
    broken,
    fail,
    read_timeout,
    server_error,
    silent_too_long,
    still_running,
    without_body,
)

__all__ = ["WSGIStreamTransport"]


class WSGIStreamTransport(SyncTransport):
    """Send the requests of a sync client, of httpx2 or httpx, to a WSGI application, and stream what it answers.

        with httpx2.Client(transport=WSGIStreamTransport(app), base_url="http://testserver") as client:
            with client.stream("GET", "/events") as response:
                for line in response.iter_lines():
                    ...

    The application is stopped while the test does not read. Closing the response is a disconnect: the application's
    iterable is closed, in the thread that iterates it, as soon as its next block comes. That it left is told to the
    streams of this library at once; another iterable that is silent learns of it as late as under any WSGI server.

    Args:
        app: the application (PEP 3333).
        raise_app_exceptions: whether what the application raises is raised where the test waits for the response or
            reads it; if not, the client sees what it would see of a server: a 500, or, after the start,
            a `RemoteProtocolError`.
        root_path: where the application is mounted.
        client: the client's address and port.
        close_timeout: seconds that the application has to close once the client has left; closing the response is an
            AssertionError if it has not, which says where it stands. None: it is waited for when the transport closes,
            not when the response does.
    """

    def __init__(
        self,
        app: WSGIApp,
        *,
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = CLIENT,
        close_timeout: float | None = CLOSE_TIMEOUT,
    ) -> None:
        self._app = app
        self._raise = raise_app_exceptions
        self._root_path = root_path
        self._client = client
        self._close_timeout = close_timeout
        self._open: set[_Exchange] = set()

    def close(self) -> None:
        """Leave every response that is still open."""
        for exchange in tuple(self._open):
            exchange.end(CLOSE_TIMEOUT if self._close_timeout is None else self._close_timeout)

    def handle_request(self, request: AnyRequest) -> Any:
        """Call the application; return once it has its first block, or its end (PEP 3333: not before).

        Raises:
            ReadTimeout: of the client's library; it has not within the request's read timeout.
            Exception: what it raised before that, if asked for.
        """
        exchange = _Exchange(request, self._close_timeout, self._open, raises=self._raise)
        exchange.call(self._app, self._environ(request))
        try:
            return exchange.response()
        except BaseException:
            exchange.close()
            raise

    def _environ(self, request: AnyRequest) -> Environ:
        url = request.url
        address, port = self._client
        body = io.BufferedReader(_RequestBody(request))
        environ: Environ = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": self._root_path,
            "PATH_INFO": unquote_to_bytes(url.raw_path.partition(b"?")[0]).decode("latin-1"),
            "QUERY_STRING": url.query.decode("ascii"),
            "SERVER_NAME": url.host,
            "SERVER_PORT": str(url.port or {"http": 80, "https": 443}.get(url.scheme)),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": address,
            "REMOTE_PORT": str(port),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": body,
            "wsgi.input_terminated": True,  # it ends where the body does, so that a chunked one can be read
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name in request.headers:
            key = name.upper().replace("-", "_")
            value = ",".join(request.headers.get_list(name))
            environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
        return environ


class _Exchange(SyncByteStream):
    """One call of the application. Its thread offers; whoever reads the response takes."""

    def __init__(
        self, request: AnyRequest, close_timeout: float | None, opened: set[_Exchange], *, raises: bool
    ) -> None:
        self._request = request
        self._close_timeout = close_timeout
        self._opened = opened
        self._raises = raises
        self._head = HeldHead(self._offer)
        self._block: bytes | None = None
        self._complete = False
        self._error: BaseException | None = None
        self._over = False  # the application has closed
        self._gone = False
        self._connection = NotifiedConnection()
        self._changed = threading.Condition()
        self.unfinished: AssertionError | None = None  # it had not closed when the client left

    def call(self, app: WSGIApp, environ: Environ) -> None:
        """Begin."""
        environ["stream_adapter.connection"] = self._connection
        self._opened.add(self)
        name = f"{self._request.method} {environ['PATH_INFO']}"
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run, app, environ), name=name, daemon=True
        )
        self._thread.start()

    def response(self) -> Any:
        """Wait for the start of the response."""
        with self._changed:
            self._wait(lambda: self._head.committed or self._over)
        if not self._head.committed:
            self._raise_error()
            return server_error(self._request)
        extensions = {"http_version": b"HTTP/1.1", EXCHANGE: self}
        return library_of(self._request).Response(
            self._status, headers=self._head.headers, stream=self, extensions=extensions
        )

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be read, and nothing will come."""
        return self._without_body or (self._complete and self._block is None)

    def __iter__(self) -> Iterator[bytes]:
        """Take block after block."""
        while True:
            with self._changed:
                self._wait(lambda: self._block is not None or self.complete or self._over)
                block, self._block = self._block, None
                self._changed.notify_all()
            if block is not None:
                yield block
            elif self.complete:
                return
            else:
                self._raise_error()
                raise broken(self._request)

    def close(self) -> None:
        """Leave."""
        self.end(self._close_timeout)

    def end(self, timeout: float | None) -> None:
        """Leave, and wait until the application has closed.

        Raises:
            AssertionError: it has not.
            Exception: what it raised and nobody was told of, if that is asked for.
        """
        with self._changed:
            self._gone = True
            self._changed.notify_all()
        self._connection.notify()
        if timeout is None:
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._opened.discard(self)  # told once
            where = thread_stands(self._thread)
            self.unfinished = still_running(self._request, timeout, complete=self._complete, where=where)
            fail(self.unfinished)
        self._raise_error()

    @property
    def _status(self) -> int:
        return int(self._head.status.split(maxsplit=1)[0])

    @property
    def _without_body(self) -> bool:
        return self._head.committed and without_body(self._request.method, self._status)

    def _run(self, app: WSGIApp, environ: Environ) -> None:
        try:
            self._iterate(app, environ)
        except ClientDisconnected:
            pass
        except BaseException as error:  # noqa: BLE001  # it is raised where the test reads
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._opened.discard(self)
                self._changed.notify_all()

    def _iterate(self, app: WSGIApp, environ: Environ) -> None:
        blocks = app(environ, self._head)
        try:
            for block in blocks:
                self._offer(block)
            self._commit()
            with self._changed:
                self._complete = True
                self._changed.notify_all()
        finally:
            close: Callable[[], object] | None = getattr(blocks, "close", None)
            if close is not None:
                close()

    def _commit(self) -> None:
        """Have status and headers go out, as they do with the first block, or at the end."""
        if not self._head.status:
            raise RuntimeError("the application did not call start_response before its first block")
        with self._changed:
            self._head.committed = True
            self._changed.notify_all()

    def _offer(self, block: bytes) -> None:
        """Hand over a block, and wait until the client has taken it."""
        if not isinstance(cast("object", block), bytes):
            raise TypeError(f"expected blocks of bytes, got {type(block).__name__} (PEP 3333)")
        if block:
            self._commit()
        with self._changed:
            if block and not self._without_body:
                self._block = block
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._block is None or self._gone)
            if self._gone:
                raise ClientDisconnected

    def _wait(self, ready: Callable[[], object]) -> None:
        since, limit = time.monotonic(), read_timeout(self._request)
        if not self._changed.wait_for(ready, limit):
            raise silent_too_long(self._request, limit, since)

    def _raise_error(self) -> None:
        """Raise what ended the application, once, if that is asked for."""
        error, self._error = self._error, None
        if error is not None and self._raises:
            fail(error)


class _RequestBody(io.RawIOBase):
    """The request's body, read from the client as the application reads it."""

    def __init__(self, request: AnyRequest) -> None:
        stream = request.stream
        if not hasattr(stream, "__iter__"):
            raise TypeError(f"expected the request of a Client, got one whose body is a {type(stream).__name__}")
        self._parts = iter(stream)
        self._rest = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what is left of a part."""
        while not self._rest:
            try:
                self._rest = next(self._parts)
            except StopIteration:
                return 0
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
