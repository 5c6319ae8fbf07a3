"""`receive`, for two readers: the application, which takes what comes, and we, who look for the disconnect.

One of them is inside the server's `receive` at a time. As long as nothing is streamed, that is the application. While
something is, `watch` reads ahead, unless the application is there already; what it finds before the disconnect is kept
for the application, up to a bound, for a body that nobody reads is to stay with the client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from stream_adapter._types import Message, Receive

__all__ = ["Inbox"]

_AHEAD = 65536  # bytes of the request's body that are kept
_GONE: Message = {"type": "http.disconnect"}


class Inbox:
    """The messages of one request.

    Args:
        receive: the server's.
    """

    __slots__ = (
        "_ahead",
        "_complete",
        "_gone",
        "_inside",
        "_news",
        "_receive",
        "_size",
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
        self._size = 0
        self._news: asyncio.Event | None = None

    async def receive(self) -> Message:
        """Receive, for the application."""
        while True:
            if self._ahead:
                message = self._ahead.popleft()
                self._size -= len(message.get("body", b""))
                self._tell()
                return message
            if self._gone:
                self._told = True
                return _GONE
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

    async def watch(self) -> Message:
        """Return the disconnect when it comes; read ahead meanwhile."""
        self._news = self._news or asyncio.Event()
        self._ahead = deque() if self._ahead is None else self._ahead
        try:
            while not self._gone:
                if self._inside or self._size >= _AHEAD:
                    self._watched = False
                    await self._wait()
                    continue
                self._watched = True
                was_complete = self._complete
                message = await self._receive()
                self._note(message)
                if was_complete and not self._gone:
                    self._watched = False
                    self._tell()
                    await asyncio.get_running_loop().create_future()  # this server does not say when the client goes
                if not self._gone:
                    self._ahead.append(message)
                    self._size += len(message.get("body", b""))
                self._tell()
        finally:
            self._watched = False
            self._tell()
        return _GONE

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
