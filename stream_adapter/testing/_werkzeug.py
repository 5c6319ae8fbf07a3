"""Werkzeug's threaded server in a thread; stopping it does not wait for its clients."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from stream_adapter.types import WSGIApp

from ._location import thread_location

__all__ = ["WerkzeugRunner"]

logger = logging.getLogger("stream_adapter.testing")

_GRACE = 5.0  # seconds for the application after its connections are cut
_POLL = 0.05  # seconds between two checks for `stop`


class WerkzeugRunner:
    """Serve a WSGI application, each request in a thread.

    Args:
        app: the application.
        listener: the socket, which it closes.
    """

    def __init__(self, app: WSGIApp, listener: socket.socket) -> None:
        self._server = _Server("127.0.0.1", 0, app, _Handler, fd=listener.fileno())
        listener.close()  # the server has a duplicate

    def run(self) -> None:
        """Serve until stopped."""
        self._server.serve_forever(_POLL)

    def wait_started(self, timeout: float) -> bool:
        """Return at once: the socket listens, and a WSGI application has no startup."""
        del timeout
        return True

    def stop(self) -> None:
        """Stop the server, from another thread.

        Raises:
            AssertionError: the application continues although its connections are cut.
        """
        self._server.shutdown()
        self._server.cut_off(_GRACE)


class _Server(ThreadedWSGIServer):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._served: dict[threading.Thread, socket.socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread that `cut_off` knows."""
        thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
        self._served[thread] = request
        thread.start()

    def cut_off(self, grace: float) -> None:
        """Cut every connection, and wait until its thread has ended."""
        served = dict(self._served)
        for connection in served.values():
            with contextlib.suppress(OSError):  # the client has closed it first
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + grace
        for thread in served:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                location = thread_location(thread)
                raise AssertionError(
                    f"the application was still running {grace} s after its client was cut off. {location}"
                )

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # the name that it overrides
        """Log to the test's logging, not by a handler of Werkzeug's."""
        logger.log(logging.ERROR if type == "error" else logging.DEBUG, message, *args)

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            del self._served[threading.current_thread()]


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do not log each request."""
