"""A client that is not the bottleneck: a socket, read and forgotten."""

from __future__ import annotations

import socket

__all__ = ["connect", "discard"]

_BUFFER = 1 << 18


def connect(port: int, path: str) -> socket.socket:
    """Ask for `path`; the server is to close the connection when it has answered."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return client


def discard(port: int, path: str) -> int:
    """Ask for `path`, read the whole answer, and return its size on the wire.

    Raises:
        RuntimeError: the answer is not a 200.
    """
    buffer = bytearray(_BUFFER)
    with connect(port, path) as client:
        size = client.recv_into(buffer)
        if b" 200 " not in buffer[:32]:
            raise RuntimeError(f"{path}: {bytes(buffer[:100])!r}")
        while count := client.recv_into(buffer):
            size += count
    return size
