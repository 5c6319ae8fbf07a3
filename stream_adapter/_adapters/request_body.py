"""The body of an ASGI request, as the file that a WSGI application reads in its thread.

The loop receives parts and appends them. The application's thread takes them, and waits for the next one at most
`receive_timeout`, so that a silent client cannot occupy it. `_read_ahead` limits how much is received ahead of reads.

    owned by the loop    _parts (append, clear), _budget, _complete, _lost
    owned by the thread  _parts (popleft), _budget.read, _part
"""

from __future__ import annotations

import contextlib
import io
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from stream_adapter._connection import NotifiedConnection
from stream_adapter._pump import LoopWaker, ThreadWaker
from stream_adapter._read_ahead import DISCARDED, ReadAhead
from stream_adapter._receive_timeout import BodyTimeout
from stream_adapter.errors import ClientDisconnected
from stream_adapter.types import Message, Receive

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["RequestBody"]


class RequestBody(io.RawIOBase):
    """The raw file below an `io.BufferedReader`.

    Args:
        receive: the server's; nothing else may call it.
        awaited: whether the client waits for `100 Continue` before it sends the body. Servers send that when `receive`
            is called: so not before the application reads, or its response starts.
        timeout: seconds that a read waits for the client; None: without limit.

    Attributes:
        connection: is notified of the disconnect.
        is_held: returns True while the application waits for its client to take what it has sent.
    """

    def __init__(self, receive: Receive, *, awaited: bool, timeout: float | None) -> None:
        self.connection = NotifiedConnection()
        self.is_held: Callable[[], bool] = _never
        self._receive = receive
        self._timeout = timeout
        self._wanted = not awaited
        self._parts: deque[bytes] = deque()
        self._part = memoryview(b"")
        self._budget = ReadAhead()
        self._complete = self._lost = False
        self._arrived = ThreadWaker()
        self._room = LoopWaker(threadsafe=True)

    async def receive(self) -> Message:
        """Receive the next message, record it, and return it; after the end of the body, that is the disconnect."""
        try:
            await self._wait_for_room()
            message = await self._receive()
        except BaseException:
            self.lose()
            raise
        if message["type"] == "http.disconnect":
            self.lose()
            self.connection.notify()
            return message
        part: bytes = message.get("body", b"")
        if self._budget.discards:
            self._parts.clear()
        elif part:
            self._budget.received(len(part))
            self._parts.append(part)
        self._complete = not message.get("more_body", False)
        self._arrived.wake()
        return message

    def lose(self) -> None:
        """Mark the body as lost: the client has disconnected, or nothing receives any more."""
        self._lost = True
        self._arrived.wake()

    async def _wait_for_room(self) -> None:
        budget = self._budget
        while not self._complete and not self._wanted:
            await self._room.wait(lambda: self._wanted)
        if not self._complete and (pause := budget.pause):
            await self._room.wait(lambda: not budget.pause, pause)
            if budget.pause:
                budget.paused(could_read=not self.is_held())

    def want(self) -> None:
        """Request the body, from any thread."""
        self._wanted = True
        self._room.wake()

    def readable(self) -> bool:
        """Return True: `io.BufferedReader` asks."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read the next bytes, and wait for them; return 0 at the end.

        Raises:
            ClientDisconnected: the client disconnected before the end.
            BodyTimeout: the client sent nothing in time.
            OSError: the body was left unread for so long that it was discarded.
        """
        while not self._part:
            ended, lost = (
                self._complete,
                self._lost,
            )  # read these first: the last part is appended before
            if self._budget.discards:
                raise OSError(DISCARDED)
            if self._parts:
                self._take()
            elif ended:
                return 0
            elif lost:
                raise ClientDisconnected
            else:
                self.want()
                self._wait_for_more()
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._part))
        target[:size] = self._part[:size]
        self._part = self._part[size:]
        return size

    def _take(self) -> None:
        with contextlib.suppress(IndexError):  # the loop has just discarded it
            part = self._parts.popleft()
            self._part = memoryview(part)
            self._budget.read(len(part))
            self._room.wake()

    def _wait_for_more(self) -> None:
        self._arrived.wait(self._has_arrived, self._timeout)
        if self._timeout is not None and not self._has_arrived():
            raise BodyTimeout(self._timeout)

    def _has_arrived(self) -> bool:
        return bool(self._parts) or self._complete or self._lost


def _never() -> bool:
    return False
