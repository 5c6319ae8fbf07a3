"""The server's `receive`, shared by the application and by the middleware, which looks for the disconnect.

One of them is inside the server's `receive` at a time. Until a response is streamed, that is the application. During a
stream `watch` reads ahead, unless the application is there already. What `watch` receives before the disconnect is kept
for the application, within the bounds of `_read_ahead`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from stream_adapter._read_ahead import DISCARDED, ReadAhead
from stream_adapter.types import Message, Receive

__all__ = ["SharedReceiver"]

_DISCONNECT: Message = {"type": "http.disconnect"}


class SharedReceiver:
    """The messages of one request, for two readers.

    Args:
        receive: the server's.
    """

    __slots__ = (
        "_ahead",
        "_budget",
        "_changed",
        "_complete",
        "_disconnected",
        "_inside",
        "_notified",
        "_receive",
        "_waiting",
        "_watching",
    )

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._inside: list[asyncio.Task[Any] | None] = []  # of the application, inside the server's `receive`
        self._waiting = 0  # calls of the application that wait for what `watch` reads
        self._watching = False
        self._disconnected = False
        self._notified = False  # the application has received the disconnect
        self._complete = False  # the end of the request's body has come
        self._ahead: deque[Message] | None = None
        self._budget: ReadAhead | None = None
        self._changed: asyncio.Event | None = None

    async def receive(self) -> Message:
        """Receive, for the application.

        Raises:
            OSError: the body was left unread for so long that it was discarded.
        """
        while True:
            if self._ahead:
                message = self._ahead.popleft()
                if self._budget is not None:
                    self._budget.read(len(message.get("body", b"")))
                self._notify()
                return message
            if self._disconnected:
                self._notified = True
                return _DISCONNECT
            if self._budget is not None and self._budget.discards:
                raise OSError(DISCARDED)
            if not self._watching:
                return await self._receive_here()
            self._waiting += 1
            try:
                await self._wait()
            finally:
                self._waiting -= 1

    async def _receive_here(self) -> Message:
        task = asyncio.current_task()
        self._inside.append(task)
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if not self._disconnected or task is None or task.uncancel():
                raise
            message = _DISCONNECT  # send_disconnect() has cancelled it
        finally:
            self._inside.remove(task)
            self._notify()
        self._note(message)
        self._notified = self._notified or self._disconnected
        return message

    def send_disconnect(self) -> bool:
        """Send the application a disconnect. Return True if it receives it now, or has received one before."""
        self._disconnected = True
        notified = self._notified or bool(self._inside) or self._waiting > 0
        for task in self._inside:
            if task is not None:
                task.cancel()
        self._notify()
        return notified

    async def watch(self, is_held: Callable[[], bool] | None = None) -> Message:
        """Wait for the disconnect and return it; read ahead while waiting.

        Args:
            is_held: returns True while the application waits for its client to take what it has sent.
        """
        self._changed = self._changed or asyncio.Event()
        self._ahead = deque() if self._ahead is None else self._ahead
        budget = self._budget = self._budget or ReadAhead()
        try:
            while not self._disconnected:
                if self._inside:
                    await self._wait()
                    continue
                if budget.pause and not await self._is_left_unread(budget, is_held):
                    continue
                self._watching = True
                was_complete = self._complete
                message = await self._receive()
                self._watching = False
                self._note(message)
                if was_complete and not self._disconnected:
                    self._notify()
                    await asyncio.get_running_loop().create_future()  # this server sends no disconnect
                if not self._disconnected:
                    self._keep(message, self._ahead, budget)
                self._notify()
        finally:
            self._watching = False
            self._notify()
        return _DISCONNECT

    async def _is_left_unread(self, budget: ReadAhead, is_held: Callable[[], bool] | None) -> bool:
        """Pause; return True if the application has read nothing in the pause, so that one more part is received."""
        try:
            async with asyncio.timeout(budget.pause):
                await self._wait()
        except TimeoutError:
            budget.paused(could_read=is_held is None or not is_held())
            return True
        return False

    @staticmethod
    def _keep(message: Message, ahead: deque[Message], budget: ReadAhead) -> None:
        """Keep a part for the application. Once a part was discarded, the application gets none of the body."""
        if budget.discards:
            ahead.clear()
            return
        ahead.append(message)
        budget.received(len(message.get("body", b"")))

    def _note(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._disconnected = True
        elif not message.get("more_body", False):
            self._complete = True

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def _wait(self) -> None:
        if self._changed is not None:
            self._changed.clear()
            await self._changed.wait()
