"""The end of a connection whose stream failed, where an ASGI server would not show the failure to the client.

An application can only raise, and the server closes the connection: by a FIN, mostly. A body with neither chunks nor a
length, as over HTTP/1.0, which nginx speaks by default, then looks whole; only a reset tells (RFC 9112, 8). And daphne
leaves the connection open: its clients would wait without end.
"""

from __future__ import annotations

import asyncio
import socket
import time

from stream_adapter._body import AsyncBody
from stream_adapter._tcp import Peer, peer, reset, silence, unsent_bytes

from .client_sockets import Address, client_socket

__all__ = ["break_connection", "reset_left_open"]

_GRACE = 1.0  # seconds that the client has to receive what was sent
_LOOK_AGAIN = 0.01  # seconds between two looks at what it has not received, and for a server's own thread to send
_LEFT_OPEN = 2.0  # seconds after which a server would have closed the connection
_TICK = 0.05  # seconds: the kernel's clock and the loop's may differ so much


async def break_connection(body: AsyncBody) -> None:
    """Make sure that the client sees the failure of a stream. Call it before the server has the error.

    A body that only the close of its connection would end is reset at once, any other if the server has left its
    connection open two seconds later. A client that is not found by its address is left to the server: on a Unix
    socket, on another system than Linux, and where the address may be from a field of the request: it may be that of
    another client.
    """
    client = body.client
    if client is None:
        return
    if not body.ends_by_close:
        loop = asyncio.get_running_loop()
        loop.call_later(_LEFT_OPEN, reset_left_open, client, loop.time())
        return
    with client_socket(client, is_new=True) as connection:
        if connection is not None:
            await _delivered(connection)
            reset(connection)


async def _delivered(connection: socket.socket) -> None:
    """Wait until the client has received what was sent, or is gone, for a second at most."""
    deadline = time.monotonic() + _GRACE
    looks_left = 2  # twice, because granian sends in a thread of its own
    try:
        while looks_left and peer(connection) is not Peer.CLOSED and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_AGAIN)
            looks_left = 2 if unsent_bytes(connection) else looks_left - 1
    except OSError:  # it is closed
        return


def reset_left_open(client: Address, failed_at: float) -> None:
    """Reset a connection that the server has left open, once the client has received what was sent.

    One on which something came since the failure is left alone: it may be another, from the same port.
    """
    loop = asyncio.get_running_loop()
    with client_socket(client) as connection:
        if connection is None:
            return
        try:
            is_same = (silence(connection) or 0.0) + _TICK >= loop.time() - failed_at
            is_sending = bool(unsent_bytes(connection))
        except OSError:  # it is closed
            return
        if is_same and is_sending:
            loop.call_later(_LEFT_OPEN, reset_left_open, client, failed_at)
        elif is_same:
            reset(connection)
