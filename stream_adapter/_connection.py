"""The client's connection, as far as a WSGI server shows it: PEP 3333 says nothing of it.

gunicorn, Werkzeug       the socket, in the environ
waitress                 the channel, behind the function that says whether the client has gone
uWSGI                    the descriptor, by `uwsgi.connection_fd()`
cheroot, wsgiref         the descriptor, beneath the request's body (Django's runserver is wsgiref's)
to_asgi, testing         the disconnect itself, when it comes

Who owns what: the socket is the server's. A stream borrows it until `release`, which its `close` calls in the
request's thread; the watcher's thread and the thread of a drain may ask and cut until then, under the connection's
lock, and reach nothing afterwards. So no other connection that is given the same descriptor is ever cut.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ._tcp import Peer, acknowledged_bytes, can_send, peer, reset, shut_down, silence, stop_receiving, unsent_bytes
from .types import Environ

__all__ = [
    "Connection",
    "NotifiedConnection",
    "PolledConnection",
    "Sample",
    "SocketConnection",
    "acknowledged_bytes",
    "client_connection",
    "unsent_bytes",
]

_LOOK_AGAIN = 0.005  # seconds between looks at what a client has still to acknowledge


class Sample(NamedTuple):
    """What is known of a client at one moment.

    Attributes:
        peer: what it has done.
        waits: whether bytes wait for it.
        mark: changes whenever it has taken some.
    """

    peer: Peer
    waits: bool = False
    mark: int | None = None


class Connection:
    """What may be known of a client's connection, and done to it. Every method may be called from any thread.

    Attributes:
        is_watched: whether it must be sampled from time to time; one that notifies need not be.
        chunks: whether the server sends a body of unknown length in chunks, whose last one marks its end.
        departure: the server's own exception for a client that has gone, where it reports any other as a failure.
        breaks: whether `break_off` does so; then the server need not be given an error for that.
    """

    is_watched = False
    chunks = True
    breaks = False
    departure: type[Exception] | None = None

    def sample(self) -> Sample:
        """Return what is known of the client now."""
        raise NotImplementedError

    def gone(self) -> bool:
        """Return True if the client has left. A half-closed one has not."""
        return self.sample().peer is Peer.GONE

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Call `callback` once the client has gone, from any thread, if the connection notifies."""

    def break_off(self, *, framed: bool, delivery: float) -> None:
        """Break it so that what was sent does not look complete, whatever the server does next.

        Args:
            framed: whether chunks or a length mark the end of the body: then it is enough to send nothing more.
            delivery: seconds that the client has, before a reset, to take what was sent.
        """

    def reset(self) -> None:
        """Break it by RST, at once (RFC 9112, 8: so a body that the close would end is known to be incomplete)."""

    def silence(self) -> float | None:
        """Return for how many seconds the client has sent nothing; None if that is not known."""
        return None

    def stop_receiving(self) -> None:
        """Have a read of the request's body that waits return, as at its end."""

    def release(self) -> None:
        """Give it back to the server, and do nothing from now on. Does nothing the second time."""


class PolledConnection(Connection):
    """One of which the server answers a question.

    Args:
        is_disconnected: the server's own function.
    """

    is_watched = True

    def __init__(self, is_disconnected: Callable[[], bool]) -> None:
        self._is_disconnected = is_disconnected

    def sample(self) -> Sample:
        """Ask the server."""
        return Sample(Peer.GONE if self._is_disconnected() else Peer.OPEN)


class SocketConnection(Connection):
    """One whose socket the server shows.

    Args:
        client: the socket.
        chunks: whether the server sends a body of unknown length in chunks.
        is_duplicate: whether the socket is a duplicate of the server's, to be closed by `release`.
        buffered: returns the bytes that the server itself holds back.
        departure: the server's own exception for a client that has gone.
    """

    is_watched = True
    breaks = True

    def __init__(
        self,
        client: socket.socket,
        *,
        chunks: bool,
        is_duplicate: bool = False,
        buffered: Callable[[], int] = int,
        departure: type[Exception] | None = None,
    ) -> None:
        self.chunks = chunks
        self.departure = departure
        self._client: socket.socket | None = client
        self._is_duplicate = is_duplicate
        self._buffered = buffered
        self._lock = threading.Lock()

    def sample(self) -> Sample:
        """Look at the socket."""
        with self._lock:
            client = self._client
            if client is None:
                return Sample(Peer.OPEN)
            try:
                waiting = unsent_bytes(client)
                if waiting is None:
                    return Sample(peer(client), not can_send(client))
                taken = acknowledged_bytes(client)
                return Sample(peer(client), waiting > 0, waiting if taken is None else taken)
            except OSError:  # the server has closed it
                return Sample(Peer.GONE)

    def break_off(self, *, framed: bool, delivery: float) -> None:
        """Shut the socket down, which delivers what the kernel holds, or reset it; a `send` that blocks fails."""
        deadline = time.monotonic() + delivery
        while self._holds_back(framed=framed) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)
        self._do(shut_down if framed else reset)

    def _holds_back(self, *, framed: bool) -> bool:
        """Return True if something would be lost that the client may still take."""
        if framed:
            return self._buffered() > 0
        sample = self.sample()
        return sample.peer is not Peer.GONE and (sample.waits or self._buffered() > 0)

    def reset(self) -> None:
        """Reset the connection: a `send` that blocks fails."""
        self._do(reset)

    def silence(self) -> float | None:
        """Ask the kernel."""
        with self._lock:
            try:
                return None if self._client is None else silence(self._client)
            except OSError:  # the server has closed it
                return None

    def stop_receiving(self) -> None:
        """Shut down the reading half of the socket."""
        self._do(stop_receiving)

    def _do(self, act: Callable[[socket.socket], object]) -> None:
        with self._lock:
            if self._client is not None:
                act(self._client)

    def release(self) -> None:
        """Forget the socket."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None and self._is_duplicate:
            client.close()

    def __del__(self) -> None:
        self.release()  # of a response that was never served, and so never closed


class NotifiedConnection(Connection):
    """One that announces the disconnect, as ASGI's do."""

    def __init__(self) -> None:
        self._gone = False
        self._callbacks: list[Callable[[], object]] = []

    def sample(self) -> Sample:
        """Return whether `notify` was called."""
        return Sample(Peer.GONE if self._gone else Peer.OPEN)

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Have `notify` call `callback`, now if it was called already; twice if the two come together."""
        self._callbacks.append(callback)
        if self._gone:
            callback()

    def notify(self) -> None:
        """Announce that the client has gone."""
        self._gone = True
        for callback in self._callbacks:
            callback()


def client_connection(environ: Environ) -> Connection | None:
    """Return the connection of a request, if its server shows it: the `connection` of a `Hooks`."""
    notified: Connection | None = environ.get("stream_adapter.connection")
    if notified is not None:
        return notified
    protocol = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
    if not protocol.startswith("HTTP/1"):
        return None  # gunicorn's HTTP/2: a connection of many streams is not one stream's to cut
    return _of_server(environ, chunks=protocol != "HTTP/1.0")


def _of_server(environ: Environ, *, chunks: bool) -> Connection | None:
    if isinstance(client := environ.get("gunicorn.socket"), socket.socket):
        return SocketConnection(client, chunks=chunks)
    if isinstance(client := environ.get("werkzeug.socket"), socket.socket):
        # a server for one request at a time speaks HTTP/1.0
        several = bool(environ.get("wsgi.multithread") or environ.get("wsgi.multiprocess"))
        return SocketConnection(client, chunks=chunks and several)
    if "waitress.client_disconnected" in environ:
        return _of_waitress(environ["waitress.client_disconnected"], chunks=chunks)
    if "uwsgi.version" in environ:
        return _duplicate(_uwsgi_descriptor(), chunks=False)
    return _duplicate(_descriptor_of_input(environ), chunks=chunks and "Cheroot" in environ.get("SERVER_SOFTWARE", ""))


def _of_waitress(is_disconnected: Callable[[], bool], *, chunks: bool) -> Connection:
    """Look behind the function, a method of the channel: it is right only with `channel_request_lookahead`."""
    channel: Any = getattr(is_disconnected, "__self__", None)
    client = getattr(channel, "socket", None)
    if not isinstance(client, socket.socket):
        return PolledConnection(is_disconnected)
    departure: Any = getattr(sys.modules.get(type(channel).__module__), "ClientDisconnected", None)
    return SocketConnection(client, chunks=chunks, buffered=lambda: channel.total_outbufs_len, departure=departure)


def _uwsgi_descriptor() -> int | None:
    uwsgi: Any = sys.modules.get("uwsgi")  # it exists within uWSGI only
    return None if uwsgi is None else uwsgi.connection_fd()


def _descriptor_of_input(environ: Environ) -> int | None:
    """Return the descriptor beneath `wsgi.input`, of the servers that read a request from its socket."""
    stream: Any = environ.get("wsgi.input")
    stream = getattr(stream, "server_input", stream)  # a RequestInput has the server's own
    if environ.get("SERVER_SOFTWARE", "").startswith("WSGIServer/"):
        read: Any = getattr(stream, "_read", None)  # Django's LimitedStream has the stream by its method only
        stream = getattr(read, "__self__", stream)
    elif type(stream).__module__.startswith("cheroot."):
        stream = getattr(stream, "rfile", stream)
    else:
        return None  # a CGI script's input may be a socket too, and not the client's
    with suppress(AttributeError, OSError, ValueError):
        return int(stream.fileno())
    return None


def _duplicate(descriptor: int | None, *, chunks: bool) -> Connection | None:
    """Return the connection of a descriptor, if it is a socket's: a duplicate cannot become another connection's."""
    if descriptor is None or descriptor < 0:
        return None
    try:
        duplicate = os.dup(descriptor)
    except OSError:
        return None
    if not stat.S_ISSOCK(os.fstat(duplicate).st_mode):
        os.close(duplicate)
        return None
    return SocketConnection(socket.socket(fileno=duplicate), chunks=chunks, is_duplicate=True)
