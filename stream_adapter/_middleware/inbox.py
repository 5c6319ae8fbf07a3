"""`receive`, for two readers: the application, which takes what comes, and we, who look for the disconnect.

One of them is inside the server's `receive` at a time. As long as nothing is streamed, that is the application. While
something is, `watch` reads ahead, unless the application is there already; what it finds before the disconnect is kept
for the application, up to a bound, for a body that nobody reads is to stay with the client.
"""

from __future__ import annotations

import asyncio
from collections import deque

from stream_adapter._types import Message, Receive

__all__ = ["Inbox"]

_AHEAD = 65536  # bytes of the request's body that are kept
_GONE: Message = {"type": "http.disconnect"}


class Inbox:
    """The messages of one request.

    Args:
        receive: the server's.
    """

    __slots__ = ("_ahead", "_complete", "_gone", "_inside", "_news", "_receive", "_size", "_watched")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._inside = 0  # calls of the application that wait in the server's `receive`
        self._watched = False
        self._gone = False
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
                return _GONE
            if not self._watched:
                return await self._receive_here()
            await self._wait()

    async def _receive_here(self) -> Message:
        self._inside += 1
        try:
            message = await self._receive()
        finally:
            self._inside -= 1
            self._tell()
        self._note(message)
        return message

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
