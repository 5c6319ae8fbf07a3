"""A response of an ASGI application that passes as it is, in parts: one that says its length, a file for one.

Nothing is done to its messages. What the scope promises the application is kept: once the client has gone, `send`
raises OSError, and an application that is silent then is ended. A response that is over at once, as nearly all are,
costs a timer: only one that lasts is watched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from stream_adapter._body import ClientDisconnected, follows_from_the_end
from stream_adapter._log import log_stream
from stream_adapter.errors import StreamTimeoutError
from stream_adapter.types import Message, Send

from .asgi_stream import clear_traceback_frames
from .receive import Inbox

__all__ = ["Passage"]

_NAME = "a response that passes the middleware (application)"

_SHORT = 0.05  # seconds after which a response is one that lasts


class Passage:
    """The parts of one response.

    Args:
        inbox: where the disconnect comes.
        send: the server's.
        interrupt: has the application end.
        send_timeout: seconds that the server may take for one part; None for any.
    """

    __slots__ = ("_ending", "_inbox", "_interrupt", "_loop", "_send", "_send_timeout", "_sending", "_timer", "_watch")

    def __init__(self, inbox: Inbox, *, send: Send, interrupt: Callable[[], None], send_timeout: float | None) -> None:
        self._inbox = inbox
        self._send = send
        self._interrupt = interrupt
        self._send_timeout = send_timeout
        self._ending: Callable[[], Exception] | None = None  # makes what ends it before the application does
        self._sending = False
        self._watch: asyncio.Task[Message] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(_SHORT, self._begin_watching)

    async def send(self, message: Message) -> None:
        """Send, for the application.

        Raises:
            OSError: the client has gone, or has taken nothing for too long.
        """
        if self._ending is not None:
            raise self._ending()
        self._sending = True
        if self._send_timeout is None:  # as nearly always: nothing else is done for each of a file's parts
            await self._send(message)
        else:
            await self._send_in_time(message, self._send_timeout)
        self._sending = False
        if not message.get("more_body"):
            self.close()

    async def _send_in_time(self, message: Message, seconds: float) -> None:
        ending = partial(StreamTimeoutError, "send_timeout", seconds)
        deadline = self._loop.call_later(seconds, self._end, ending)
        try:
            await self._send(message)
        finally:
            deadline.cancel()

    def close(self) -> None:
        """Stop to watch: the response is complete, or its application has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watch is not None:
            self._watch.remove_done_callback(self._end_by_disconnect)
            self._watch.cancel()
            self._watch = None

    def settle(self, error: BaseException | None) -> BaseException | None:
        """Return what the server is to know, now that the application has ended.

        Args:
            error: what the application raised.
        """
        self.close()
        if self._ending is None or (error is not None and not follows_from_the_end(error)):
            return error
        if error is not None:
            clear_traceback_frames(error)
        ending = self._ending()
        return None if isinstance(ending, ClientDisconnected) else ending

    def _begin_watching(self) -> None:
        self._timer = None
        self._watch = self._loop.create_task(self._inbox.watch(lambda: self._sending))
        self._watch.add_done_callback(self._end_by_disconnect)

    def _end_by_disconnect(self, watch: asyncio.Task[Message]) -> None:
        if watch.cancelled():
            return
        if (error := watch.exception()) is not None:  # a receive that fails has no client behind it
            log_stream(logging.DEBUG, _NAME, "receive failed", "it is taken for a disconnect", error=error)
        self._end(ClientDisconnected)

    def _end(self, ending: Callable[[], Exception]) -> None:
        if self._ending is None:
            self._ending = ending
            self._interrupt()
