"""The client's connection: whether it is open, whether it takes what is sent, and how to abort it.

PEP 3333 does not provide one; `_server_sockets` finds that of each server which shows it.

Who owns what: the server owns the socket. A stream borrows it until `release`, which its `close` calls in the
request's thread. The watcher's thread and the thread of a drain may sample and abort until then, under the connection's
lock, and have no effect afterwards. So another connection that is given the same descriptor is not aborted.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from ._tcp import Peer, acknowledged_bytes, can_send, peer, reset, shut_down, silence, stop_receiving, unsent_bytes

__all__ = [
    "Connection",
    "NotifiedConnection",
    "PolledConnection",
    "Sample",
    "SocketConnection",
]

_LOOK_AGAIN = 0.005  # seconds between looks at what a client has not acknowledged yet


class Sample(NamedTuple):
    """The state of a client at one moment.

    Attributes:
        peer: what it has done.
        has_unsent: whether bytes wait to be sent to it.
        mark: changes whenever it has received some.
    """

    peer: Peer
    has_unsent: bool = False
    mark: int | None = None


class Connection:
    """The connection of a client: its state, and how to abort it. Methods may be called in any thread.

    Attributes:
        is_watched: whether it must be sampled at an interval; one that notifies need not be.
        chunks: whether the server sends a body of unknown length in chunks, so that the last one marks its end.
        disconnect_error: the server's own exception for a disconnect, if it reports any other as a failure.
        can_abort: whether `abort` works; then the server need not be given an error instead.
    """

    is_watched = False
    chunks = True
    can_abort = False
    disconnect_error: type[Exception] | None = None

    def sample(self) -> Sample:
        """Return the state of the client now."""
        raise NotImplementedError

    def is_disconnected(self) -> bool:
        """Return True if the client closed the connection; a half-closed one is still connected."""
        return self.sample().peer is Peer.CLOSED

    gone = is_disconnected  # its former name

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Call `callback` after a disconnect, in any thread, if the connection notifies."""

    def abort(self, *, framed: bool, grace: float) -> None:
        """Abort the connection so that the response does not look complete, whatever the server does next.

        Args:
            framed: whether chunks or a length mark the end of the body: then it is enough to send nothing more.
            grace: seconds that the client has, before a reset, to receive what was sent.
        """

    def break_off(self, *, framed: bool, delivery: float) -> None:
        """Call `abort`, which is its present name."""
        self.abort(framed=framed, grace=delivery)

    def reset(self) -> None:
        """Reset it, at once (RFC 9112, 8: a body that a close would end is then known to be incomplete)."""

    def silence(self) -> float | None:
        """Return the seconds since the client last sent data; None if unknown."""
        return None

    def stop_receiving(self) -> None:
        """Make a pending read of the request's body return, as at its end."""

    def release(self) -> None:
        """Return the socket to the server; other methods have no effect afterwards. Does nothing the second time."""


class PolledConnection(Connection):
    """A connection whose server reports a disconnect when it is asked.

    Args:
        is_disconnected: the server's own function.
    """

    is_watched = True

    def __init__(self, is_disconnected: Callable[[], bool]) -> None:
        self._is_disconnected = is_disconnected

    def sample(self) -> Sample:
        """Ask the server."""
        return Sample(Peer.CLOSED if self._is_disconnected() else Peer.OPEN)


class SocketConnection(Connection):
    """A connection whose socket the server exposes.

    Args:
        client: the socket.
        chunks: as in `Connection`.
        is_duplicate: whether the socket is a duplicate of the server's, to be closed by `release`.
        buffered: returns how many bytes the server itself has not sent yet.
        disconnect_error: as in `Connection`.
    """

    is_watched = True
    can_abort = True

    def __init__(
        self,
        client: socket.socket,
        *,
        chunks: bool,
        is_duplicate: bool = False,
        buffered: Callable[[], int] = int,
        disconnect_error: type[Exception] | None = None,
    ) -> None:
        self.chunks = chunks
        self.disconnect_error = disconnect_error
        self._client: socket.socket | None = client
        self._is_duplicate = is_duplicate
        self._buffered = buffered
        self._is_reset = False
        self._lock = threading.Lock()

    def sample(self) -> Sample:
        """Sample the socket."""
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
                return Sample(Peer.CLOSED)

    def abort(self, *, framed: bool, grace: float) -> None:
        """Shut the socket down, so that the kernel delivers what it holds, or reset it; a blocked `send` fails."""
        deadline = time.monotonic() + grace
        while self._holds_back(framed=framed) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)
        if framed:
            self._do(shut_down)
        else:
            self.reset()

    def _holds_back(self, *, framed: bool) -> bool:
        """Return True if bytes would be lost that the client may still receive."""
        if framed:
            return self._buffered() > 0
        sample = self.sample()
        return sample.peer is not Peer.CLOSED and (sample.has_unsent or self._buffered() > 0)

    def reset(self) -> None:
        """Reset the connection; a blocked `send` fails. Does nothing the second time.

        That would open the socket for a moment to the server, which reads on after its `send` has failed: a read then
        raises ENOTCONN in place of the end, and Werkzeug does not close the body.
        """
        with self._lock:
            if self._client is not None and not self._is_reset:
                self._is_reset = True
                reset(self._client)

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
        self.release()  # a response that was never served is never closed


class NotifiedConnection(Connection):
    """A connection that reports the disconnect by `notify`, as those of ASGI do."""

    def __init__(self) -> None:
        self._notified = False
        self._callbacks: list[Callable[[], object]] = []

    def sample(self) -> Sample:
        """Return whether `notify` was called."""
        return Sample(Peer.CLOSED if self._notified else Peer.OPEN)

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Call `callback` on `notify`, now if that was called already; twice if the two coincide."""
        self._callbacks.append(callback)
        if self._notified:
            callback()

    def notify(self) -> None:
        """Report the disconnect."""
        self._notified = True
        for callback in self._callbacks:
            callback()
