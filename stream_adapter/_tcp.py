"""The state of a TCP connection as the kernel reports it, and how to reset one: functions of a socket, without state.

Linux answers every question by one `getsockopt`, whatever the descriptor's number, also beneath TLS and under gevent.
Elsewhere, and for Unix sockets, `poll` answers; the functions say what is left out.
"""

from __future__ import annotations

import _socket
import errno
import os
import select
import socket
import struct
import sys
from enum import Enum
from typing import Any, Protocol

__all__ = [
    "HasFileno",
    "Peer",
    "acknowledged_bytes",
    "can_send",
    "peer",
    "reset",
    "shut_down",
    "silence",
    "stop_receiving",
    "unsent_bytes",
]

# struct tcp_info of linux/tcp.h: tcpi_state is its first byte, tcpi_last_data_recv the 32 bits at 52, tcpi_bytes_acked
# (Linux 4.1) the 64 bits at 120
_TCP_INFO: int | None = socket.TCP_INFO if sys.platform == "linux" else None
_ACKNOWLEDGED = struct.Struct("=120xQ")
_SILENCE = struct.Struct("=52xI")
# linux/tcp_states.h: closed by the peer; and reset, or closed on this side too, so that nothing can be sent any more:
# FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, LAST_ACK, CLOSING
_CLOSE_WAIT, _CLOSED = 8, frozenset({4, 5, 6, 7, 9, 11})

_READABLE, _WRITABLE = getattr(select, "POLLIN", 1), getattr(select, "POLLOUT", 4)
_GONE = sum(getattr(select, name, 0) for name in ("POLLERR", "POLLHUP", "POLLNVAL")) or 8
_FINISHED: int = getattr(select, "POLLRDHUP", 0)  # Linux, FreeBSD

_SIOCOUTQ = 0x5411  # linux/sockios.h; for a socket, what TIOCOUTQ is for a terminal
_INT = struct.Struct("i")

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
# struct sock_filter of linux/filter.h: opcode, jumps if true and if false, operand. What a socket's filter sees begins
# with the TCP header, whose length in 32-bit words is the upper half of byte 12 (RFC 9293, 3.1)
_DROP_PAYLOADS = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 12),  # A = byte 12
        (0x74, 0, 0, 4),  # A >>= 4
        (0x64, 0, 0, 2),  # A <<= 2: the length of the header in bytes
        (0x07, 0, 0, 0),  # X = A
        (0x80, 0, 0, 0),  # A = the length of the segment
        (0x1D, 0, 1, 0),  # if A == X:
        (0x06, 0, 0, 0xFFFFFFFF),  # pass it
        (0x06, 0, 0, 0),  # drop it
    )
)

_AF_UNSPEC_ADDRESS = bytes(16)  # a sockaddr whose family is AF_UNSPEC, and the size of an IPv4 one
_NO_LINGER = struct.pack("ii", 1, 0)


class HasFileno(Protocol):
    """A socket, or an object in place of one."""

    def fileno(self) -> int: ...


class Peer(Enum):
    """The state of the other end of a connection.

    A peer that has closed the whole connection and one that has shut down its write side send the same FIN; the first
    answers what is sent to it by RST, and is CLOSED from then on.
    """

    OPEN = "open"
    HALF_CLOSED = "half-closed"  # it sends nothing more, and may still read
    CLOSED = "closed"


def peer(client: socket.socket) -> Peer:
    """Return the state of the other end, also behind unread bytes.

    Without TCP_INFO and POLLRDHUP (macOS), a FIN behind unread bytes is not seen. A socket that is closed here is
    CLOSED, and so, on Linux, is one that its owner has shut down.
    """
    try:
        info = _tcp_info(client, 1)
        if info is None:
            return _polled(client)
    except OSError:
        return Peer.CLOSED
    if info[0] in _CLOSED:
        return Peer.CLOSED
    return Peer.HALF_CLOSED if info[0] == _CLOSE_WAIT else Peer.OPEN


def _polled(client: socket.socket) -> Peer:
    events = _poll(client, _READABLE | _FINISHED)
    if events & _GONE:
        return Peer.CLOSED
    if _FINISHED:
        return Peer.HALF_CLOSED if events & _FINISHED else Peer.OPEN
    if not events & _READABLE:
        return Peer.OPEN
    try:
        return Peer.OPEN if client.recv(1, socket.MSG_PEEK) else Peer.HALF_CLOSED
    except (BlockingIOError, InterruptedError, ValueError):  # a TLS socket does not take flags
        return Peer.OPEN


def can_send(client: socket.socket) -> bool:
    """Return True if the send buffer has room: the coarse form of `unsent_bytes`, where the kernel does not count."""
    return bool(_poll(client, _WRITABLE))


def _poll(client: socket.socket, events: int) -> int:
    """Return which of the events hold at this moment. `poll` takes any descriptor, `select` on POSIX only 1,024."""
    if client.fileno() < 0:
        return _GONE
    if not hasattr(select, "poll"):  # Windows, whose `select` takes any
        readable, writable, _ = select.select([client], [client], [], 0)
        return _READABLE * bool(readable) | _WRITABLE * bool(writable)
    gevent = sys.modules.get("gevent.monkey")  # whose poll yields to other greenlets, and knows fewer events
    poll: Any = select.poll() if gevent is None else gevent.get_original("select", "poll")()
    poll.register(client, events)
    return sum(event for _, event in poll.poll(0))


def unsent_bytes(client: int | HasFileno) -> int | None:
    """Return how many bytes the kernel holds which the peer has not acknowledged; None if the system does not say.

    Of a Unix socket: which the peer has not read, with the kernel's own overhead.

    Raises:
        OSError: the socket is closed.
    """
    if sys.platform != "linux":
        return None
    import fcntl  # noqa: PLC0415  # Windows has none

    descriptor = client if isinstance(client, int) else client.fileno()
    if descriptor < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return int(_INT.unpack(fcntl.ioctl(descriptor, _SIOCOUTQ, bytes(_INT.size)))[0])


def acknowledged_bytes(client: socket.socket) -> int | None:
    """Return how many bytes the peer has acknowledged since the connection began; None if the system does not say.

    It grows whenever the peer makes progress, however full the buffers between are.

    Raises:
        OSError: the socket is closed.
    """
    info = _tcp_info(client, _ACKNOWLEDGED.size)
    return None if info is None or len(info) < _ACKNOWLEDGED.size else int(_ACKNOWLEDGED.unpack(info)[0])


def silence(client: socket.socket) -> float | None:
    """Return the seconds since the peer last sent data; None if the system does not report it.

    Raises:
        OSError: the socket is closed.
    """
    info = _tcp_info(client, _SILENCE.size)
    return None if info is None or len(info) < _SILENCE.size else int(_SILENCE.unpack(info)[0]) / 1000


def _tcp_info(client: socket.socket, size: int) -> bytes | None:
    if _TCP_INFO is None or client.family == socket.AF_UNIX:
        return None
    return client.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, size)


def reset(client: socket.socket) -> None:
    """End a TCP connection by RST, from any thread; the socket stays its owner's to close.

    What the kernel still holds is dropped, and a thread that waits in `send` returns with an error. Linux does so for
    `connect` with AF_UNSPEC, see connect(2). Elsewhere, for Unix sockets, which have no RST, and where the kernel
    refuses because a thread waits in `send` (some 6.x do), the connection is shut down, and a TCP one is reset when
    its owner closes it.
    """
    try:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        if _TCP_INFO is not None and client.family != socket.AF_UNIX:
            import ctypes  # noqa: PLC0415  # a large module that few streams need

            # Its owner reads the end from now on, and not ENOTCONN, which servers do not expect: Werkzeug then does not
            # close the body. The first call wakes the owner, so both are made without releasing the interpreter.
            libc = ctypes.PyDLL(None)
            libc.connect(client.fileno(), _AF_UNSPEC_ADDRESS, len(_AF_UNSPEC_ADDRESS))
            libc.shutdown(client.fileno(), socket.SHUT_RDWR)
            return
        _shut_down(client, socket.SHUT_RDWR)
    except OSError:  # ENOTCONN, which still shuts it down; or the peer, or the owner, was first
        return


def stop_receiving(client: socket.socket) -> None:
    """Receive nothing more: a `recv` that waits reads the end, and so does every later one. What is sent still is.

    SHUT_RD alone is not enough: Linux still queues what comes after it, and a server would take the rest of a body for
    the next request. So a filter drops each segment with a payload first; the others, which acknowledge, pass. Where
    the kernel takes no filter, the connection is reset.
    """
    import ctypes  # noqa: PLC0415  # see `reset`

    try:
        program = ctypes.create_string_buffer(_DROP_PAYLOADS)
        described = struct.pack("@HP", len(_DROP_PAYLOADS) // 8, ctypes.addressof(program))  # struct sock_fprog
        client.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
    except OSError:
        reset(client)
        return
    try:
        socket.socket.shutdown(client, socket.SHUT_RD)
    except OSError:  # the peer, or the owner, was first
        return


def shut_down(client: socket.socket) -> None:
    """Send nothing more: what the kernel holds is delivered, and then a FIN. A thread that waits in `send` returns.

    A TLS socket does not say goodbye first, so its peer knows that something is missing (RFC 8446, 6.1).
    """
    try:
        _shut_down(client, socket.SHUT_WR)
    except OSError:  # the peer, or the owner, was first
        return


def _shut_down(client: socket.socket, how: int) -> None:
    """Shut the connection down, and nothing else.

    An SSLSocket's own method would drop the encryption at once, and that of gevent have `send` fail with EBADF, which
    servers take for their own fault.
    """
    if client.fileno() < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    borrowed = _socket.socket(fileno=client.fileno())
    try:
        borrowed.shutdown(how)
    finally:
        borrowed.detach()
