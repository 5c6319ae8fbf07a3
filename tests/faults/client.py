"""A client that behaves badly on purpose."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time

from tests.support.gate import BOUND


class Client:
    """One request over a socket of its own, for what no polite client does.

    Attributes:
        received: all that came, head and chunk sizes included.
        was_reset: whether the connection ended by RST.

    Args:
        version: of HTTP.
        buffer: bytes that the kernel may hold for it; None leaves it to the kernel.
    """

    def __init__(self, port: int, path: str, *, version: str = "1.1", buffer: int | None = None) -> None:
        self.received = b""
        self.was_reset = False
        self._socket = socket.socket()
        self._socket.settimeout(BOUND)
        if buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.connect(("127.0.0.1", port))
        self.send(f"GET {path} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())

    def send(self, data: bytes) -> None:
        """Send something that the request does not ask for."""
        self._socket.sendall(data)

    def half_close(self) -> None:
        """Send nothing more, and go on reading (RFC 9112, 9.6)."""
        self._socket.shutdown(socket.SHUT_WR)

    def read(self, size: int) -> Client:
        """Read until at least `size` bytes have come."""
        while len(self.received) < size and self._receive():
            pass
        assert len(self.received) >= size, self.received
        return self

    def read_until(self, text: bytes) -> Client:
        """Read until `text` has come."""
        while text not in self.received and self._receive():
            pass
        assert text in self.received, self.received
        return self

    def read_to_the_end(self) -> Client:
        """Read until the response is complete, or the connection is not any more."""
        with contextlib.suppress(ConnectionError):
            while not self.complete and self._receive():
                pass
        return self

    def read_slowly(self, size: int, pause: float) -> Client:
        """Read to the end, `size` bytes at a time with a pause after each."""
        with contextlib.suppress(ConnectionError):
            while not self.complete and self._receive(size):
                time.sleep(pause)  # the rate that the test is about
        return self

    def read_at(self, rate: int) -> int:
        """Read until the end, at so many bytes a second; return how many there were."""
        started, size, tail = time.monotonic(), 0, b""
        with contextlib.suppress(ConnectionError):
            while not tail.endswith(b"\r\n0\r\n\r\n") and (data := self._socket.recv(16384)):
                size += len(data)
                tail = (tail + data)[-16:]
                time.sleep(max(0.0, size / rate - (time.monotonic() - started)))  # the rate, not a wait for anything
        self.received = tail
        return size

    @property
    def complete(self) -> bool:
        """Whether the response came to a polite end: the last chunk, or as much as was announced (RFC 9112, 6.3)."""
        head, _, body = self.received.partition(b"\r\n\r\n")
        announced = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if announced is not None:
            return len(body) >= int(announced[1])
        return self.received.endswith(b"\r\n0\r\n\r\n")

    @property
    def status(self) -> int:
        return int(self.received.split(b" ", 2)[1])

    def reset(self) -> float:
        """Leave by RST; return when. Does nothing the second time."""
        if self._socket.fileno() < 0:
            return time.monotonic()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        at = time.monotonic()
        self._socket.close()
        return at

    def finish(self) -> float:
        """Leave by FIN; return when. What is sent after it is answered by RST, as by any client that has closed."""
        at = time.monotonic()
        with contextlib.suppress(OSError):  # the server was first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        return at

    def _receive(self, size: int = 65536) -> bool:
        try:
            data = self._socket.recv(size)
        except ConnectionResetError:
            self.was_reset = True
            raise
        self.received += data
        return bool(data)
