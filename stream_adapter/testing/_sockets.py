"""Clients on a plain socket, which read only when the test says so."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Self
from urllib.parse import urlsplit

__all__ = ["SlowClient", "StalledClient"]

_BUFFER = 4096  # bytes of the socket's receive buffer; the system uses some more


class StalledClient:
    """Send a request, and read nothing until `read` is called.

        with LiveServer(app) as server, StalledClient(f"{server.url}/endless") as client:
            ...                                    # the buffer is full, and the source waits
            client.leave()

    Args:
        url: of the request; plain HTTP.
        method: of the request.
        headers: of the request.
        timeout: seconds that connecting and each read may take.

    Attributes:
        received: the bytes that were read, with the head and the chunk sizes.
    """

    def __init__(
        self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, timeout: float = 5.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"url: expected http://host:port/path, got {url!r}")
        self.received: bytes = b""
        self._timeout = timeout
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)  # before it connects, or it has no effect
        self._socket.settimeout(timeout)
        try:
            self._socket.connect((parts.hostname, parts.port or 80))
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            fields = {"Host": parts.netloc, **(headers or {})}
            lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
            self._socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        """Return the client, which disconnects at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self.leave()

    @property
    def status(self) -> int:
        """The status, after the head was read."""
        return int(self.received.split(b" ", 2)[1])

    @property
    def complete(self) -> bool:
        """Whether the last chunk of a chunked body was read (RFC 9112, 7.1)."""
        return self.received.endswith(b"\r\n0\r\n\r\n")

    def read(self, size: int) -> bytes:
        """Read until at least `size` bytes have been received in all; return all.

        Raises:
            AssertionError: the connection ended, or nothing arrived in time.
        """
        self._read_while(lambda: len(self.received) < size, f"{size} bytes")
        return self.received

    def read_until(self, text: bytes) -> bytes:
        """Read until `text` has been received; return all.

        Raises:
            AssertionError: the connection ended, or nothing arrived in time.
        """
        self._read_while(lambda: text not in self.received, repr(text))
        return self.received

    def read_to_the_end(self) -> bytes:
        """Read until the response is complete, or the connection is broken; return all.

        Raises:
            AssertionError: nothing arrived in time.
        """
        while not self.complete and self._receive(65536, "the end"):
            pass
        return self.received

    def leave(self) -> None:
        """Close the connection by FIN; data that arrives later is answered by RST. Does nothing the second time."""
        with contextlib.suppress(OSError):  # the server has closed it first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def reset(self) -> None:
        """Break the connection by RST. Does nothing the second time."""
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()

    def _read_while(self, lacking: Callable[[], bool], expected: str) -> None:
        while lacking():
            if not self._receive(65536, expected):
                raise self._failure(expected, "the connection ended")

    def _receive(self, size: int, expected: str) -> bool:
        """Receive bytes. Return False at the end of the connection."""
        try:
            data = self._socket.recv(size)
        except TimeoutError:
            raise self._failure(expected, f"nothing came within {self._timeout} s") from None
        except ConnectionError:
            return False
        self.received += data
        return bool(data)

    def _failure(self, expected: str, got: str) -> AssertionError:
        end = self.received[-200:]
        return AssertionError(
            f"expected {expected}, but {got}; {len(self.received)} bytes had arrived, the last: {end!r}"
        )


class SlowClient(StalledClient):
    """Send a request and read the response slowly.

        with LiveServer(app) as server, SlowClient(f"{server.url}/rows", size=1000, pause=0.01) as client:
            assert b"the last row" in client.read_to_the_end()

    Args:
        url: of the request; plain HTTP.
        size: bytes per read, at most.
        pause: seconds before each read.
        method: of the request.
        headers: of the request.
        timeout: seconds that connecting and each read may take.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int = 1024,
        pause: float = 0.01,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(url, method=method, headers=headers, timeout=timeout)
        self._size = size
        self._pause = pause

    def _receive(self, size: int, expected: str) -> bool:
        time.sleep(self._pause)
        return super()._receive(min(size, self._size), expected)
