"""The sockets of an ASGI server's clients, which ASGI does not show: found by the address that the scope names.

The server owns each. A socket is used here through a duplicate of its descriptor: the server may close its own while it
is used, and give the number to another connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Generator, Iterator
from typing import TypeAlias

from stream_adapter._tcp import acknowledged_bytes

__all__ = ["FRESH", "Address", "acknowledged_by", "client_socket"]

FRESH = 1.0  # seconds for which a list of the process's sockets is used

Address: TypeAlias = tuple[str, int]


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

    def forget(self) -> None:
        """List them again when the next one is asked for."""
        self._listed_at = -FRESH


_sockets = _Sockets()


def _connections() -> Iterator[tuple[Address, int]]:
    for name in os.listdir("/proc/self/fd"):
        address = _peer_of(int(name))
        if address is not None:
            yield address, int(name)


def _peer_of(descriptor: int) -> Address | None:
    """Return the address of the other end; None for what is not a connection with a port."""
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        host, port = borrowed.getpeername()[:2]
    except (OSError, ValueError):  # one that listens, or one without a port
        return None
    finally:
        borrowed.detach()
    return (str(host).removeprefix("::ffff:"), port) if isinstance(port, int) else None


@contextlib.contextmanager
def client_socket(client: Address, *, is_new: bool = False) -> Generator[socket.socket | None]:
    """Give a duplicate of a client's socket; None if it is not found.

    Args:
        client: its address.
        is_new: whether the connection may be newer than the list of them.
    """
    address = (client[0].removeprefix("::ffff:"), client[1])
    found = _duplicate(address)
    if found is None and is_new:
        _sockets.forget()
        found = _duplicate(address)
    try:
        yield found
    finally:
        if found is not None:
            found.close()


def _duplicate(address: Address) -> socket.socket | None:
    descriptor = _sockets.descriptor(address) if sys.platform == "linux" else None
    if descriptor is None:
        return None
    try:
        duplicate = socket.socket(fileno=os.dup(descriptor))
    except OSError:  # it is closed, or the process has no descriptor left
        return None
    if _peer_of(duplicate.fileno()) == address:
        return duplicate
    duplicate.close()  # its number was given to another
    return None


def acknowledged_by(client: Address) -> int | None:
    """Return the number of bytes that a client has acknowledged; None if unknown."""
    with client_socket(client) as connection:
        try:
            return None if connection is None else acknowledged_bytes(connection)
        except OSError:
            return None
