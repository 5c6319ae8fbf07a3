"""A client that reads what it is sent, by the clock, and tells how a body ended."""

from __future__ import annotations

import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from typing import Literal

from tests.faults.http2 import Connection

Ending = Literal["whole", "broken", "open"]


class Reader:
    """One request over a connection of its own.

    Attributes:
        received: the body so far, without framing and coding.
    """

    received: bytes

    def read(self, seconds: float) -> None:
        """Read what comes within some time, or until the end."""
        raise NotImplementedError

    def ending(self) -> Ending:
        """Return how the body ended, as a client sees it."""
        raise NotImplementedError

    def leave(self) -> None:
        """Close the connection."""
        raise NotImplementedError

    def wait(self, holds: Callable[[], object], seconds: float) -> bool:
        """Read until a condition holds, the body has ended or the time is over. Return True if it holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            left = deadline - time.monotonic()
            if left <= 0 or self.ending() != "open":
                return bool(holds())
            self.read(min(left, 0.1))
        return True


class Reader1(Reader):
    """Over HTTP/1.1, without TLS."""

    def __init__(self, port: int, path: str, *, gzip: bool) -> None:
        self._raw = b""
        self._closed_by: Literal["FIN", "RST"] | None = None
        self._gzip = gzip
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        accept = "gzip" if gzip else "identity"
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Encoding: {accept}\r\n\r\n"
        self._socket.sendall(request.encode())

    def read(self, seconds: float) -> None:
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return
        except OSError:
            self._closed_by = "RST"
            return
        self._raw += data
        if not data:
            self._closed_by = "FIN"

    @property
    def received(self) -> bytes:  # type: ignore[override]  # computed here, kept there
        body = self._unchunked()[0] if self._is_chunked else self._body
        if re.search(rb"(?i)\r\ncontent-encoding: *gzip", self._head):
            return zlib.decompressobj(31).decompress(body)
        return body

    def ending(self) -> Ending:
        if self._is_chunked:
            is_whole: bool | None = self._unchunked()[1]
        elif (length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", self._head)) is not None:
            is_whole = len(self._body) >= int(length[1])
        else:  # only the close ends it
            is_whole = self._closed_by == "FIN" if self._head else False
        if is_whole:
            return "whole"
        return "open" if self._closed_by is None else "broken"

    def leave(self) -> None:
        self._socket.close()

    @property
    def _head(self) -> bytes:
        return self._raw.partition(b"\r\n\r\n")[0]

    @property
    def _body(self) -> bytes:
        return self._raw.partition(b"\r\n\r\n")[2]

    @property
    def _is_chunked(self) -> bool:
        return re.search(rb"(?i)\r\ntransfer-encoding: *chunked", self._head) is not None

    def _unchunked(self) -> tuple[bytes, bool]:
        """Return the body, and whether the last chunk has come (RFC 9112, 7.1)."""
        body, rest = b"", self._body
        while True:
            line, found, after = rest.partition(b"\r\n")
            if not found:
                return body, False
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                return body, after.endswith(b"\r\n")
            body += after[:size]
            rest = after[size + 2 :]


class Reader2(Reader):
    """Over HTTP/2."""

    def __init__(self, port: int, path: str, tls: ssl.SSLContext) -> None:
        self._connection = Connection(port, tls)
        self._stream = self._connection.get(path)

    def read(self, seconds: float) -> None:
        self._connection.receive(seconds)

    @property
    def received(self) -> bytes:  # type: ignore[override]  # computed here, kept there
        return bytes(self._stream.received)

    def ending(self) -> Ending:
        if self._stream.is_complete:
            return "whole"
        return "broken" if self._stream.reset_by is not None or self._connection.is_over else "open"

    def leave(self) -> None:
        self._connection.close()
