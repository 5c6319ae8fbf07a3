"""One request's `receive`, shared by the view that reads the body and the watcher that waits for the disconnect.

Who owns what. The messages of the body belong to the application, whenever it asks for them: before the first item,
after it, or never. A disconnect belongs to both. The server's `receive` has one caller at a time, who holds the lock:
the application, in whichever task reads the request, or the watcher of `deliver`, in a task of its own. What the
watcher finds there of the body it keeps, in order, and the application takes it from there. It keeps no more than
`_LIMIT` bytes: then the client has to wait until the application reads, as it would without a watcher. A client that
leaves while it waits is seen too, for the watcher looks again after a time, which doubles with each part that it finds.

All of this happens on the request's loop. Only the watcher is cancelled, when the stream has ended.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from anyio import current_effective_deadline
from starlette.requests import Request

from stream_adapter.types import Message, Receive

from ._compat import awaiting_frame, set_receive

__all__ = ["share_receive", "watched_receive"]

_LIMIT = 262144  # bytes of the body that are kept for the application
_PATIENCE = 1.0  # seconds after which the watcher looks again, although what is kept has reached the limit
_DEPTH = 4  # callers among which the request of a view is looked for


class _SharedReceive:
    """The `receive` of one request.

    Args:
        receive: the server's, or that of a middleware in front of the route.

    Attributes:
        is_watched: whether there is a watcher.
    """

    __slots__ = (
        "_disconnect",
        "_has_room",
        "_is_complete",
        "_kept",
        "_lock",
        "_look_after",
        "_look_at",
        "_size",
        "is_watched",
        "server",
    )

    def __init__(self, receive: Receive) -> None:
        self.server: Receive = receive
        self._lock = asyncio.Lock()
        self._kept: list[Message] = []  # few; an empty deque has 700 bytes, and thousands of streams are silent
        self._size = 0
        self._has_room: asyncio.Event | None = None  # while the watcher waits for room
        self._is_complete = False  # the end of the body has come from the server
        self._disconnect: Message | None = None
        self.is_watched = False
        self._look_at, self._look_after = 0.0, _PATIENCE

    async def receive(self) -> Message:
        """Return the next message for the application.

        `Request.is_disconnected` asks in a cancelled scope, and drops what it gets of the body: it gets nothing of it.
        """
        if current_effective_deadline() == -math.inf:
            return await self._look()
        while True:
            if self._kept:
                return self._take()
            if self._disconnect is not None:
                return self._disconnect
            async with self._lock:
                if not self._kept and self._disconnect is None:
                    return await self._ask()

    async def watch(self) -> Message:
        """Return the disconnect once it comes. Ask for it in one task only."""
        patience, lock = _PATIENCE, self._lock
        while self._disconnect is None:
            if self._size >= _LIMIT and not await self._wait_for_room(patience):
                patience *= 2
            await lock.acquire()
            try:
                # `_ask_ahead`, without a coroutine: thousands of silent streams stand here
                if self._disconnect is None:
                    message = await self.server()
                    if message["type"] == "http.disconnect":
                        self._disconnect = message
                    elif not self._keep(message):
                        await asyncio.get_running_loop().create_future()
            finally:
                lock.release()
        return self._disconnect

    async def _look(self) -> Message:
        """Return the disconnect if it has come; wait otherwise, until the caller's cancellation arrives.

        In a cancelled scope BaseHTTPMiddleware loses what the server's `receive` brings: a watcher alone asks then.
        """
        while self._disconnect is None and not self.is_watched and self._may_look():
            async with self._lock:
                await self._ask_ahead()
        return self._disconnect or await asyncio.get_running_loop().create_future()

    def _may_look(self) -> bool:
        """Return True if less is kept than may be, or if it is time to look behind it; the intervals double."""
        if self._size < _LIMIT:
            return True
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return False
        self._look_at, self._look_after = now + self._look_after, self._look_after * 2
        return True

    async def _ask(self) -> Message:
        message = await self.server()
        self._note(message)
        return message

    async def _ask_ahead(self) -> None:
        if not self._keep(await self.server()):
            await asyncio.get_running_loop().create_future()

    def _keep(self, message: Message) -> bool:
        """Keep what has come; return False if it was a second end of the body: this server reports no disconnect."""
        was_complete = self._is_complete
        self._note(message)
        if self._disconnect is not None:
            return True
        if was_complete:
            return False
        self._kept.append(message)
        self._size += _length(message)
        return True

    def _note(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._disconnect = message
        elif not message.get("more_body", False):
            self._is_complete = True

    def _take(self) -> Message:
        message = self._kept.pop(0)
        self._size -= _length(message)
        if self._has_room is not None:
            self._has_room.set()
        return message

    async def _wait_for_room(self, patience: float) -> bool:
        """Wait until less is kept than may be; return False if that took too long."""
        self._has_room = asyncio.Event()
        try:
            async with asyncio.timeout(patience):
                await self._has_room.wait()
        except TimeoutError:
            return False
        finally:
            self._has_room = None
        return True


def _length(message: Message) -> int:
    body: bytes = message.get("body", b"")
    return len(body)


def _share(request: Request[Any]) -> _SharedReceive:
    receive: Any = request.receive
    shared = getattr(receive, "__self__", None)
    if not isinstance(shared, _SharedReceive):
        shared = _SharedReceive(receive)
        set_receive(request, shared.receive)
    return shared


def share_receive(request: Request[Any]) -> None:
    """Have a request read its body from what the watcher of its stream shares with it."""
    _share(request)


def watched_receive(request: Request[Any] | None, receive: Receive) -> Receive:
    """Return what to watch for the disconnect of a request, without taking its body from the view.

    A response that was made without `Stream`, and returned from a view without `@streaming`, is not introduced to its
    request. It is looked for among the callers: Starlette and FastAPI await a response where they have made the
    request. Where it is not found, the receive itself is watched, and what it brings of the body is lost.

    Args:
        request: of the view; None if it is not known.
        receive: what the response was called with.
    """
    request = request or _request_of(receive)
    if request is None:
        return receive
    shared = _share(request)
    shared.is_watched = True
    return shared.watch


def _request_of(receive: Receive) -> Request[Any] | None:
    frame = awaiting_frame()
    for _ in range(_DEPTH):
        request: Any = None if frame is None else frame.f_locals.get("request")
        if issubclass(type(request), Request) and request.receive == receive:
            found: Request[Any] = request
            return found
        frame = None if frame is None else frame.f_back
    return None
