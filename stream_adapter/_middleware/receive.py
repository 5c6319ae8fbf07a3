"""`receive`, for two readers: the application, which takes what comes, and we, who look for the disconnect.

One of them is inside the server's `receive` at a time. As long as nothing is streamed, that is the application. While
something is, `watch` reads ahead, unless the application is there already; what it finds before the disconnect is kept
for the application, within the bounds of `_read_ahead`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from stream_adapter._read_ahead import DISCARDED, ReadAhead
from stream_adapter.types import Message, Receive

__all__ = ["Inbox"]

_GONE: Message = {"type": "http.disconnect"}


class Inbox:
    """The messages of one request.

    Args:
        receive: the server's.
    """

    __slots__ = (
        "_ahead",
        "_budget",
        "_complete",
        "_gone",
        "_inside",
        "_news",
        "_receive",
        "_told",
        "_waiting",
        "_watched",
    )

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._inside: list[asyncio.Task[Any] | None] = []  # the application's that wait in the server's `receive`
        self._waiting = 0  # calls of the application that wait for what `watch` reads
        self._watched = False
        self._gone = False
        self._told = False  # the application knows that the client has gone
        self._complete = False  # the end of the request's body has come
        self._ahead: deque[Message] | None = None
        self._budget: ReadAhead | None = None
        self._news: asyncio.Event | None = None

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
                self._tell()
                return message
            if self._gone:
                self._told = True
                return _GONE
            if self._budget is not None and self._budget.discards:
                raise OSError(DISCARDED)
            if not self._watched:
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
            if not self._gone or task is None or task.uncancel():
                raise
            message = _GONE  # `hang_up` has cancelled it
        finally:
            self._inside.remove(task)
            self._tell()
        self._note(message)
        self._told = self._told or self._gone
        return message

    def hang_up(self) -> bool:
        """Tell the application that the client has gone; return whether it listens, or was told before."""
        self._gone = True
        told = self._told or bool(self._inside) or self._waiting > 0
        for task in self._inside:
            if task is not None:
                task.cancel()
        self._tell()
        return told

    async def watch(self, is_held: Callable[[], bool] | None = None) -> Message:
        """Return the disconnect when it comes; read ahead meanwhile.

        Args:
            is_held: tells whether the application waits for its client to take what it has sent.
        """
        self._news = self._news or asyncio.Event()
        self._ahead = deque() if self._ahead is None else self._ahead
        budget = self._budget = self._budget or ReadAhead()
        try:
            while not self._gone:
                if self._inside:
                    await self._wait()
                    continue
                if budget.pause and not await self._is_left_unread(budget, is_held):
                    continue
                self._watched = True
                was_complete = self._complete
                message = await self._receive()
                self._watched = False
                self._note(message)
                if was_complete and not self._gone:
                    self._tell()
                    await asyncio.get_running_loop().create_future()  # this server does not say when the client goes
                if not self._gone:
                    self._keep(message, self._ahead, budget)
                self._tell()
        finally:
            self._watched = False
            self._tell()
        return _GONE

    async def _is_left_unread(self, budget: ReadAhead, is_held: Callable[[], bool] | None) -> bool:
        """Wait; return True if the application has read nothing meanwhile, and one more part is to be received."""
        try:
            async with asyncio.timeout(budget.pause):
                await self._wait()
        except TimeoutError:
            budget.paused(could_read=is_held is None or not is_held())
            return True
        return False

    @staticmethod
    def _keep(message: Message, ahead: deque[Message], budget: ReadAhead) -> None:
        """Keep a part for the application; what it would not get whole it does not get at all."""
        if budget.discards:
            ahead.clear()
            return
        ahead.append(message)
        budget.received(len(message.get("body", b"")))

    def _note(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._gone = True
        elif not message.get("more_body", False):
            self._complete = True

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    async def _wait(self) -> None:
        if self._news is not None:
            self._news.clear()
            await self._news.wait()
