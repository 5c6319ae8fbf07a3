"""An HTTP/2 client that takes from each stream only what a test reads: the protocol is of h2, the socket is here."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from tests.support.gate import BOUND

_HEAD = 9  # bytes of a frame's (RFC 9113, 4.1): length, type, flags, stream
_GOAWAY = 7
_CONNECTION_WINDOW = 1 << 30  # bytes, so that a stalled stream holds up its own data only


@dataclass
class Stream:
    """One request, and what came of it.

    Attributes:
        number: of the stream.
        status: 0 until the response's head has come.
        received: bytes of the body.
        is_complete: whether it ended by END_STREAM.
        reset_by: the error code of the server's RST_STREAM.
        is_stalled: whether its window is left as it is, and so runs empty.
    """

    number: int
    status: int = 0
    received: bytearray = field(default_factory=bytearray)
    is_complete: bool = False
    reset_by: int | None = None
    is_stalled: bool = False


class Connection:
    """One connection with TLS, on which HTTP/2 was agreed, and its streams.

    Args:
        port: of the server on 127.0.0.1.
        tls: the client's side of it; ALPN is set here.
        patience: seconds that any wait may take.
    """

    def __init__(self, port: int, tls: ssl.SSLContext, patience: float = BOUND) -> None:
        tls.set_alpn_protocols(["h2"])
        self._authority = f"127.0.0.1:{port}"
        self._patience = patience
        plain = socket.create_connection(("127.0.0.1", port), BOUND)
        self._socket = tls.wrap_socket(plain, server_hostname="localhost")
        assert self._socket.selected_alpn_protocol() == "h2"
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._streams: dict[int, Stream] = {}
        self._unread = b""
        self.is_over = False
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self._flush()

    def get(self, path: str, *, is_stalled: bool = False) -> Stream:
        """Ask for something."""
        number = self._h2.get_next_available_stream_id()
        fields = [(":method", "GET"), (":scheme", "https"), (":authority", self._authority), (":path", path)]
        self._h2.send_headers(number, fields, end_stream=True)
        stream = self._streams[number] = Stream(number, is_stalled=is_stalled)
        self._flush()
        return stream

    def stream(self, name: str, way: str, options: str = "unlimited", *, is_stalled: bool = False) -> Stream:
        """Ask for a source of tests/faults/apps/sources.py."""
        return self.get(f"/stream/{name}/{way}/{options}", is_stalled=is_stalled)

    def read_until(self, holds: Callable[[], object]) -> None:
        """Read until a condition holds; a test fails if it never does."""
        deadline = time.monotonic() + self._patience
        while not holds():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"it did not come to that within {self._patience} s")
            if self.is_over:
                raise AssertionError("it did not come to that before the connection ended")
            self.receive(left)

    def read_to_the_end(self, *streams: Stream) -> Connection:
        """Read until streams have ended, in whatever way."""
        self.read_until(lambda: self.is_over or all(it.is_complete or it.reset_by is not None for it in streams))
        return self

    def reset(self, stream: Stream) -> None:
        """Have no more of a stream, as a browser whose page leaves it."""
        self._h2.reset_stream(stream.number, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def close(self) -> None:
        """Leave with all streams."""
        self.is_over = True
        self._socket.close()

    def receive(self, patience: float) -> None:
        """Take what comes, and wait for it no longer than `patience` seconds."""
        self._socket.settimeout(patience)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return  # `read_until` looks at the clock
        except OSError:
            data = b""
        if not data:
            self.is_over = True
            return
        for frame in self._frames(data):
            for event in self._h2.receive_data(frame):
                self._note(event)
        self._flush()

    def _frames(self, data: bytes) -> Iterator[bytes]:
        """Cut what came into frames, and leave out GOAWAY: streams go on after it (RFC 9113, 6.8), where h2 stops."""
        self._unread += data
        while len(self._unread) >= _HEAD:
            end = _HEAD + int.from_bytes(self._unread[:3])
            if len(self._unread) < end:
                return
            frame, self._unread = self._unread[:end], self._unread[end:]
            if frame[3] != _GOAWAY:
                yield frame

    def _note(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=int(number), headers=headers):
                self._streams[number].status = int(dict(headers or [])[b":status"])
            case h2.events.DataReceived(stream_id=int(number), data=bytes(data), flow_controlled_length=int(size)):
                stream = self._streams[number]
                stream.received += data
                if size and not stream.is_stalled:
                    with contextlib.suppress(h2.exceptions.StreamClosedError):  # by its last bytes
                        self._h2.increment_flow_control_window(size, number)
            case h2.events.StreamEnded(stream_id=int(number)):
                self._streams[number].is_complete = True
            case h2.events.StreamReset(stream_id=int(number), error_code=code, remote_reset=True):
                self._streams[number].reset_by = int(code or 0)
            case _:
                pass

    def _flush(self) -> None:
        with contextlib.suppress(OSError):  # the server has gone: `receive` sees that
            self._socket.sendall(self._h2.data_to_send())
