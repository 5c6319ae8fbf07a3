"""Whether a client takes what it is sent: slow is not gone.

A server's `send` returns when its own buffer has room again, and before that when the kernel's has: some megabytes, of
which the kernel reports room only once a third is free. A client that reads 4 KB a second keeps `send` waiting for
minutes. So it is not the time of `send` that counts but the bytes that the client's side acknowledges: the kernel
counts them for each connection, and the scope names the client, by whose address the process finds its socket. It is
looked for only when a `send` has been waiting for long.

Where it is not found (behind a proxy whose headers the server believes, on a Unix socket, on another system than Linux)
time is all there is. Then what was handed over may lie in the kernel, and a client that takes 4 KB a second, if it is
given the default of 60 s, must be able to take the half of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

from stream_adapter._body import AsyncBody
from stream_adapter._tcp import acknowledged_bytes

__all__ = ["FRESH", "SendWatch", "acknowledged_by"]

_LOOKS = 4  # in one timeout
_INTERVAL = 1.0  # seconds between looks, where there is no timeout
_KERNEL = 4 * 1024 * 1024  # bytes that a send buffer grows to (tcp_wmem)
_LEAST = 4096 * 60  # bytes that a client takes within one timeout, at least
FRESH = 1.0  # seconds for which a list of the process's sockets is good

Address = tuple[str, int]


class SendWatch:
    """Looks after one client, on one loop.

    Args:
        client: its address, as the scope has it; None if that is not known.
        limit: seconds without progress after which it is let go; None for any.
        let_go: called then, once.
        deadline: the time of the loop at which the stream is over, also while a `send` waits; None for never.
        overdue: called then, once.

    Attributes:
        since: when the `send` began that waits now; None while there is none. The sender sets it.
        handed: bytes that were handed over. The sender counts them.
    """

    __slots__ = (
        "_acknowledged",
        "_client",
        "_deadline",
        "_let_go",
        "_limit",
        "_loop",
        "_overdue",
        "_progress_at",
        "_timer",
        "handed",
        "since",
    )

    def __init__(
        self,
        client: Address | None,
        limit: float | None,
        let_go: Callable[[], object],
        deadline: float | None = None,
        overdue: Callable[[], object] = int,
    ) -> None:
        self._client = client
        self._limit = limit
        self._let_go = let_go
        self._deadline = deadline
        self._overdue = overdue
        self._loop = asyncio.get_running_loop()
        self._acknowledged: int | None = None
        self._progress_at = 0.0
        self.since: float | None = None
        self.handed: int = 0
        self._timer = self._look_again(self._loop.time())

    @classmethod
    def of(cls, body: AsyncBody) -> SendWatch | None:
        """Return what looks after the client of a body that has started; None if nothing bounds it."""
        limit, rest = body.send_timeout, body.seconds_left
        if limit is None and rest is None:
            return None
        deadline = None if rest is None else asyncio.get_running_loop().time() + rest
        interrupt = body.interrupt
        return cls(
            body.client, limit, partial(interrupt, "send_timeout"), deadline, partial(interrupt, "total_timeout")
        )

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now, since = self._loop.time(), self.since
        if since is not None and self._deadline is not None and now >= self._deadline:
            self._overdue()
        elif since is not None and self.is_stalled(since, now):
            self._let_go()
        else:
            self._timer = self._look_again(now)

    def _look_again(self, now: float) -> asyncio.TimerHandle:
        at = now + (self._limit or _INTERVAL * _LOOKS) / _LOOKS
        if (
            self._deadline is not None and self._deadline > now
        ):  # after it the stream ends itself, unless it is in `send`
            at = min(at, self._deadline)
        return self._loop.call_at(at, self._look)

    def is_stalled(self, since: float, now: float) -> bool:
        """Return True if a `send` that began at `since` has been without progress for too long."""
        waiting = now - since
        if self._limit is None or waiting < self._limit / _LOOKS:
            return False
        acknowledged = None if self._client is None else acknowledged_by(self._client)
        if acknowledged is None:
            return waiting >= self._limit * (1 + min(self.handed, _KERNEL) / 2 / _LEAST)
        if acknowledged != self._acknowledged:
            self._acknowledged, self._progress_at = acknowledged, now
        return now - self._progress_at >= self._limit


class _Sockets:
    """The process's connections, by the address of their client."""

    def __init__(self) -> None:
        self._listed_at = -FRESH
        self._descriptors: dict[Address, int] = {}

    def descriptor(self, client: Address) -> int | None:
        now = time.monotonic()
        if now - self._listed_at >= FRESH:
            self._descriptors = dict(_connections())
            self._listed_at = now
        return self._descriptors.get(client)


_sockets = _Sockets()


def _connections() -> Iterator[tuple[Address, int]]:
    for name in os.listdir("/proc/self/fd"):
        address = _peer_of(int(name))
        if address is not None:
            yield address, int(name)


@contextlib.contextmanager
def _borrowed(descriptor: int) -> Generator[socket.socket]:
    """Look through a descriptor that is the server's, and stays open."""
    borrowed = socket.socket(fileno=descriptor)
    try:
        yield borrowed
    finally:
        borrowed.detach()


def _peer_of(descriptor: int) -> Address | None:
    try:
        with _borrowed(descriptor) as client:
            host, port = client.getpeername()[:2]
    except (OSError, ValueError):  # no socket, one that listens, or one without a port
        return None
    return (str(host).removeprefix("::ffff:"), port) if isinstance(port, int) else None


def acknowledged_by(client: Address) -> int | None:
    """Return how many bytes a client has acknowledged; None where that cannot be known."""
    if sys.platform != "linux":
        return None
    address = (client[0].removeprefix("::ffff:"), client[1])
    descriptor = _sockets.descriptor(address)
    if descriptor is None or _peer_of(descriptor) != address:  # closed, and its number given to another
        return None
    try:
        with _borrowed(descriptor) as connection:
            return acknowledged_bytes(connection)
    except OSError:
        return None
