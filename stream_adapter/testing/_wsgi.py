"""A client's transport to a WSGI application in this process, block by block."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from stream_adapter.types import Environ, WSGIApp

from ._exchange import StreamTransport
from ._httpx import AnyRequest, SyncTransport
from ._wsgi_exchange import WSGIExchange

__all__ = ["WSGIStreamTransport"]


class WSGIStreamTransport(StreamTransport[WSGIApp, WSGIExchange], SyncTransport):
    """Send the requests of a sync client (httpx2 or httpx) to a WSGI application, and stream its responses.

        with httpx2.Client(transport=WSGIStreamTransport(app), base_url="http://testserver") as client:
            with client.stream("GET", "/events") as response:
                for line in response.iter_lines():
                    ...

    The application waits while the test does not read. Closing the response is a disconnect: the application's iterable
    is closed, in the thread that iterates it, as soon as its next block comes. Streams of this library are notified at
    once; any other silent iterable learns of the disconnect as late as under a WSGI server.
    """

    def close(self) -> None:
        """Close every response that is still open."""
        for exchange in tuple(self._open):
            exchange.end(self._final_timeout)

    def handle_request(self, request: AnyRequest) -> Any:
        """Call the application; return once it has its first block, or its end (PEP 3333: not before).

        Raises:
            ReadTimeout: of the client's library; the response did not start within the request's read timeout.
            Exception: what the application raised before that, with `raise_app_exceptions`.
        """
        exchange = WSGIExchange(request, self._close_timeout, raises=self._raise)
        environ = self._environ(request)
        self._open.add(exchange)
        exchange.call(self._app, environ, self._open.discard)
        try:
            return exchange.response()
        except BaseException:
            exchange.close()
            raise

    def _environ(self, request: AnyRequest) -> Environ:
        url = request.url
        address, port = self._client
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
            "wsgi.input": io.BufferedReader(_RequestBody(request)),
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


class _RequestBody(io.RawIOBase):
    """The request's body, read from the client as the application reads it."""

    def __init__(self, request: AnyRequest) -> None:
        stream = request.stream
        if not hasattr(stream, "__iter__"):
            raise TypeError(f"expected the request of a Client, got one whose body is a {type(stream).__name__}")
        self._parts = iter(stream)
        self._rest = b""

    def readable(self) -> bool:
        """Return True: `io.BufferedReader` asks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the rest of a part."""
        while not self._rest:
            try:
                self._rest = next(self._parts)
            except StopIteration:
                return 0
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
