"""The body of an ASGI request, as the file that a WSGI application reads in its thread.

The loop receives parts and puts them; the application's thread takes them, and waits if there is none. What is received
ahead is bounded; beyond that it is one more part from time to time, for in no other way does one learn that a client
has gone whose body nobody reads.

    the loop's         _parts (append), _put, _complete, _lost
    the thread's       _parts (from the front), _taken, _part
"""

from __future__ import annotations

import io
from collections import deque
from typing import TYPE_CHECKING

from stream_adapter._body import ClientDisconnected
from stream_adapter._connection import ToldConnection
from stream_adapter._pump import LoopBell, ThreadBell
from stream_adapter._types import Message, Receive

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["RequestBody"]

_HIGH_WATER = 65536  # bytes received and not yet read
_FIRST_LOOK = (
    0.25  # seconds for which a full window is left alone; then twice as long each time, so that hours cost little
)


class RequestBody(io.RawIOBase):
    """What `io.BufferedReader` reads from.

    Args:
        receive: the server's; nobody else may call it.
        awaited: the client waits until its body is wanted (`Expect: 100-continue`), and a server says so once it is
            received from: not before the application reads, or its response begins.

    Attributes:
        connection: which is told that the client has gone.
    """

    def __init__(self, receive: Receive, *, awaited: bool) -> None:
        self.connection = ToldConnection()
        self._receive = receive
        self._wanted = not awaited
        self._pause = _FIRST_LOOK
        self._parts: deque[bytes] = deque()
        self._part = memoryview(b"")
        self._put = self._taken = 0
        self._complete = self._lost = False
        self._arrived = ThreadBell()
        self._room = LoopBell(crossing=True)

    async def receive(self) -> Message:
        """Receive the next message, note it, and return it; once the body is complete, that is the disconnect."""
        try:
            await self._wait_for_room()
            message = await self._receive()
        except BaseException:
            self.lose()
            raise
        if message["type"] == "http.disconnect":
            self.lose()
            self.connection.tell()
            return message
        part: bytes = message.get("body", b"")
        if part:
            self._put += len(part)
            self._parts.append(part)
        self._complete = not message.get("more_body", False)
        self._arrived.ring()
        return message

    def lose(self) -> None:
        """Say that nothing more comes: the client has gone, or nobody receives."""
        self._lost = True
        self._arrived.ring()

    async def _wait_for_room(self) -> None:
        while not self._may_receive():
            await self._room.wait(self._may_receive, self._pause if self._wanted else None)
            if self._wanted and not self._may_receive():
                self._pause *= 2
                return

    def _may_receive(self) -> bool:
        return self._complete or (self._wanted and self._put - self._taken < _HIGH_WATER)

    def want(self) -> None:
        """Say, in any thread, that the body is wanted."""
        self._wanted = True
        self._room.ring()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what there is, waiting for it; 0 at the end.

        Raises:
            ClientDisconnected: the client left before the end.
        """
        while not self._part:
            ended, lost = self._complete, self._lost  # looked at first: the last part comes before them
            if self._parts:
                self._take()
            elif ended:
                return 0
            elif lost:
                raise ClientDisconnected
            else:
                self.want()
                self._arrived.wait(self._has_arrived)
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._part))
        target[:size] = self._part[:size]
        self._part = self._part[size:]
        return size

    def _take(self) -> None:
        part = self._parts.popleft()
        self._part = memoryview(part)
        self._taken += len(part)
        self._room.ring()

    def _has_arrived(self) -> bool:
        return bool(self._parts) or self._complete or self._lost
