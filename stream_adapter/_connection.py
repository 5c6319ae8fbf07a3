"""The client's connection, as far as a WSGI server shows it: PEP 3333 says nothing of it.

gunicorn, Werkzeug    their socket, which can be looked at, and cut
waitress              a function that says whether the client has gone
to_asgi               the disconnect itself, when it comes
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable

from ._tcp import acknowledged_bytes, unsent_bytes
from ._types import Environ

__all__ = [
    "AskedConnection",
    "Connection",
    "SocketConnection",
    "ToldConnection",
    "acknowledged_bytes",
    "client_connection",
    "unsent_bytes",
]


class Connection:
    """What may be known of a client's connection, and done to it.

    Attributes:
        tells: whether it tells that the client has gone; if not, one must look.
    """

    tells = False

    def gone(self) -> bool:
        """Say whether the client has gone."""
        raise NotImplementedError

    def on_gone(self, callback: Callable[[], object]) -> None:
        """Have `callback` called once the client has gone, from any thread, by a connection that tells."""

    def cut(self) -> None:
        """Break it, from any thread, where that can be done: a server that waits for its client waits no more."""


class AskedConnection(Connection):
    """One of which the server answers a question.

    Args:
        gone: the server's own function.
    """

    def __init__(self, gone: Callable[[], bool]) -> None:
        self._gone = gone

    def gone(self) -> bool:
        """Ask the server."""
        return self._gone()


class SocketConnection(Connection):
    """One whose socket the server shows.

    Args:
        client: the socket, which stays the server's.
    """

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def gone(self) -> bool:
        """Look whether what can be read is the end. Bytes that can be read are a next request's."""
        try:
            if not select.select([self._client], [], [], 0)[0]:
                return False
            return self._client.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, ValueError):
            return True

    def cut(self) -> None:
        """Shut the socket down: a `send` that blocks fails, and the server closes it."""
        with contextlib.suppress(OSError):  # the client was first
            self._client.shutdown(socket.SHUT_RDWR)


class ToldConnection(Connection):
    """One of which the server tells, as ASGI's do."""

    tells = True

    def __init__(self) -> None:
        self._gone = False
        self._callbacks: list[Callable[[], object]] = []

    def gone(self) -> bool:
        """Say whether `tell` was called."""
        return self._gone

    def on_gone(self, callback: Callable[[], object]) -> None:
        """Have `callback` called by `tell`, now if it was called; twice if the two come together."""
        self._callbacks.append(callback)
        if self._gone:
            callback()

    def tell(self) -> None:
        """Say that the client has gone."""
        self._gone = True
        for callback in self._callbacks:
            callback()


def client_connection(environ: Environ) -> Connection | None:
    """Return the connection of a request, if its server shows it: the `connection` of a `Host`."""
    told: Connection | None = environ.get("stream_adapter.connection")
    if told is not None:
        return told
    disconnected: Callable[[], bool] | None = environ.get("waitress.client_disconnected")
    if disconnected is not None:
        return AskedConnection(disconnected)
    client = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if isinstance(client, socket.socket) and not hasattr(client, "pending"):  # a TLS socket cannot be peeked at
        return SocketConnection(client)
    return None
