"""One request to a WSGI application, as a server and a network treat it, without any buffer.

The application is called, iterated and closed in one thread of its own, as by a threaded server: so a read can time
out, and `close` runs where the iteration did. The thread offers one block, and continues once the client has taken it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any, cast

from stream_adapter._connection import NotifiedConnection
from stream_adapter._wsgi_protocol import HeldHead
from stream_adapter.errors import ClientDisconnected
from stream_adapter.types import Environ, WSGIApp

from ._exchange import Exchange, read_timeout
from ._httpx import AnyRequest, SyncByteStream
from ._location import thread_location

__all__ = ["WSGIExchange"]


class WSGIExchange(Exchange, SyncByteStream):
    """One call of the application, in a thread. That thread offers blocks; the reader of the response takes them."""

    def __init__(self, request: AnyRequest, close_timeout: float | None, *, raises: bool) -> None:
        super().__init__(request, close_timeout, raises=raises)
        self._head = HeldHead(self._offer)
        self._block: bytes | None = None
        self._closed = False  # the application's iterable is closed
        self._disconnected = False
        self._connection = NotifiedConnection()
        self._changed = threading.Condition()

    def call(self, app: WSGIApp, environ: Environ, on_return: Callable[[WSGIExchange], object]) -> None:
        """Start the application's thread.

        Args:
            app: the application.
            environ: of the request.
            on_return: called with this exchange once the application has closed its iterable, or has not in time.
        """
        self._on_return = on_return
        environ["stream_adapter.connection"] = self._connection
        name = f"{self._request.method} {environ['PATH_INFO']}"
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run, app, environ), name=name, daemon=True
        )
        self._thread.start()

    def response(self) -> Any:
        """Wait for the start of the response, and return it."""
        with self._changed:
            self._wait(lambda: self._head.committed or self._closed)
        if not self._head.committed:
            self._raise_error()
            return self._server_error()
        return self._response(self._status, self._head.headers)

    @property
    def complete(self) -> bool:
        """Whether the client has read the whole body."""
        return self._is_bodiless or (self._complete and self._block is None)

    def __iter__(self) -> Iterator[bytes]:
        """Take one block after the other."""
        while True:
            with self._changed:
                self._wait(lambda: self._block is not None or self.complete or self._closed)
                block, self._block = self._block, None
                self._changed.notify_all()
            if block is not None:
                yield block
            else:
                self._check_complete()
                return

    def close(self) -> None:
        """Disconnect."""
        self.end(self._close_timeout)

    def end(self, timeout: float | None) -> None:
        """Disconnect, and wait until the application has closed its iterable.

        Raises:
            AssertionError: it has not closed it in time.
            Exception: what it raised, if the test has not seen it yet, with `raise_app_exceptions`.
        """
        with self._changed:
            self._disconnected = True
            self._changed.notify_all()
        self._connection.notify()
        if timeout is None:
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._on_return(self)  # so that closing the transport does not report it again
            self._fail_unfinished(timeout, thread_location(self._thread))
        self._raise_error()

    @property
    def _status(self) -> int:
        return int(self._head.status.split(maxsplit=1)[0])

    @property
    def _is_bodiless(self) -> bool:
        return self._head.committed and self._without_body(self._status)

    def _run(self, app: WSGIApp, environ: Environ) -> None:
        try:
            self._iterate(app, environ)
        except ClientDisconnected:
            pass
        except BaseException as error:  # noqa: BLE001  # it is raised where the test reads
            self._error = error
        finally:
            with self._changed:
                self._closed = True
                self._on_return(self)
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
        """Send status and headers, as servers do with the first block, or at the end."""
        if not self._head.status:
            raise RuntimeError("the application did not call start_response before its first block")
        with self._changed:
            self._head.committed = True
            self._changed.notify_all()

    def _offer(self, block: bytes) -> None:
        """Wait until the client has taken a block."""
        if not isinstance(cast("object", block), bytes):
            raise TypeError(f"expected blocks of bytes, got {type(block).__name__} (PEP 3333)")
        if block:
            self._commit()
        with self._changed:
            if block and not self._is_bodiless:
                self._block = block
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._block is None or self._disconnected)
            if self._disconnected:
                raise ClientDisconnected

    def _wait(self, ready: Callable[[], object]) -> None:
        since, limit = time.monotonic(), read_timeout(self._request)
        if not self._changed.wait_for(ready, limit):
            raise self._timed_out(limit, since)
