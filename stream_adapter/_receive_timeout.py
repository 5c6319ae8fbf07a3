"""`wsgi.input` with a bound on how long a read waits for its client: the rule of `receive_timeout` under WSGI.

A read of the request's body occupies the request's thread, and PEP 3333 gives it no timeout. During a read the watcher
asks the kernel when the client last sent anything. After `receive_timeout` of silence it shuts down the reading half of
the socket: the read returns, raises `BodyTimeout`, and the connection takes no further request. What is sent still is.

Who owns what: a `RequestInput` belongs to the thread that reads. Only `look` runs in the watcher's thread, and reaches
the client's connection only while a read is under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from werkzeug.exceptions import RequestTimeout

from ._connection import Connection
from ._server_sockets import client_connection
from ._watch import watcher
from .errors import RefusalError
from .types import Environ

__all__ = ["BodyTimeout", "RequestInput", "bound_input"]

_READS = frozenset({"read", "read1", "readall", "readinto", "readinto1", "readline", "readlines"})


def bound_input(environ: Environ, seconds: float | None) -> RequestInput | None:
    """Bound the reads of a request's body, if it has one: put a `RequestInput` into the environ, and return it."""
    if seconds is None or (environ.get("CONTENT_LENGTH", "0") in {"", "0"} and "HTTP_TRANSFER_ENCODING" not in environ):
        return None
    environ["wsgi.input"] = bounded = RequestInput(environ, seconds)
    return bounded


class BodyTimeout(RefusalError, RequestTimeout, TimeoutError):  # noqa: N818  # as its answer is named
    """The client withholds its body: 408 (RFC 9110, 15.5.9).

    An application sees an OSError, as of a broken input. Flask and Werkzeug answer it without logging a traceback, so a
    client cannot fill the log.

    Args:
        seconds: of the client's silence.
    """

    status_code = 408
    description: str

    def __init__(self, seconds: float) -> None:
        super().__init__(f"request body: the client sent nothing for {seconds:g} s")
        self.seconds = seconds

    def __str__(self) -> str:
        return self.description


class RequestInput:
    """A file like the server's own, whose reads raise `BodyTimeout` once the client has been silent for too long.

    It has the methods and attributes of the server's. Where the server does not show its socket, a read waits as long
    as the server does.

    Args:
        environ: the request, with the server's `wsgi.input`.
        seconds: of silence.

    Attributes:
        server_input: the server's own `wsgi.input`.
        timed_out: whether the client was given up; every read raises from then on.
        seconds: of silence.
    """

    def __init__(self, environ: Environ, seconds: float) -> None:
        self.server_input: Any = environ["wsgi.input"]
        self.timed_out = False
        self._environ = dict(environ)  # a copy: the application's environ has this object, and would be a cycle with it
        self.seconds = seconds
        self._connection: Connection | None = None
        self._since = 0.0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.server_input, name)
        return partial(self._read, attribute) if name in _READS else attribute

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _read(self, read: Callable[..., Any], *arguments: Any) -> Any:
        """Call a read of the server's.

        Raises:
            BodyTimeout: the client was given up; what the read returned or raised says nothing then.
        """
        result: Any = None
        if not self.timed_out:
            try:
                result = self._watched(read, *arguments)
            except Exception as error:
                self.timed_out = self.timed_out or isinstance(error, BodyTimeout)
                if not self.timed_out:
                    raise
        if self.timed_out:
            raise BodyTimeout(self.seconds)
        return result

    def _watched(self, read: Callable[..., Any], *arguments: Any) -> Any:
        connection = self._connection = client_connection(self._environ)
        if connection is None:
            return read(*arguments)
        self._since = time.monotonic()
        watcher.add(self)
        try:
            return read(*arguments)
        finally:
            watcher.discard(self)
            connection.release()

    def look(self, now: float) -> None:
        """End a read that has waited for too long."""
        connection = self._connection
        silence = None if connection is None else connection.silence()
        if connection is not None and silence is not None and min(silence, now - self._since) >= self.seconds:
            self.timed_out = True
            connection.stop_receiving()
