"""Ends a response whose client disconnects, or whose stream is interrupted, as soon as that happens.

Who owns what: a task of its own waits in `receive`, and ends with the response. After a disconnect it sets the body's
`interruption`, as a passed deadline and a drain do. That wakes the response's task where it waits for the source, which
is the usual end. Wherever else it waits, as in a `send` that no longer returns, it is cancelled a step later, as
`asyncio.timeout` would cancel it; the task itself takes that cancellation back when it ends the watch.
"""

from __future__ import annotations

import asyncio
from typing import Any

from stream_adapter._body import AsyncBody
from stream_adapter.types import Receive

__all__ = ["Watched"]


class Watched:
    """A response that is watched once it waits. Used by its own task, on its loop.

    Args:
        body: what is sent.
    """

    __slots__ = ("_body", "_cancellations", "_expiry", "_is_cancelled", "_task", "_watcher")

    def __init__(self, body: AsyncBody) -> None:
        self._body = body
        self._watcher: asyncio.Task[None] | None = None  # of `receive`
        self._task: asyncio.Task[Any]  # that sends
        self._cancellations: int  # of that task, when the watch began
        self._expiry: asyncio.Handle | None = None
        self._is_cancelled = False

    @property
    def is_watched(self) -> bool:
        """Whether it is watched."""
        return self._watcher is not None

    def watch(self, receive: Receive) -> None:
        """Watch it, from now on; call it in the task that sends."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine that waits on an asyncio loop runs in one
        self._task, self._cancellations = task, task.cancelling()
        self._watcher = asyncio.create_task(_receive(receive, self._body))
        self._body.interruption.callback = self

    def end_watch(self) -> bool:
        """Watch no longer; return True if the interruption has cancelled the task. Does nothing the second time."""
        watcher, self._watcher = self._watcher, None
        if watcher is None:
            return False
        watcher.cancel()
        self._body.interruption.callback = None
        if self._expiry is not None:
            self._expiry.cancel()
        return self._is_cancelled and self._task.uncancel() <= self._cancellations

    def __call__(self) -> None:
        """Cancel the task soon, unless it ends by itself before; called when the stream is interrupted."""
        if self._expiry is None:  # the callback can be called more than once
            self._expiry = self._task.get_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        self._is_cancelled = True
        self._task.cancel()


async def _receive(receive: Receive, body: AsyncBody) -> None:
    """Drain the request's body, then wait for the disconnect."""
    complete = False
    try:
        while (message := await receive())["type"] != "http.disconnect":
            if complete:  # the body ended twice: this server does not report disconnects
                return
            complete = not message.get("more_body", False)
            del message  # the next one may not come for hours
    except Exception as error:  # noqa: BLE001  # logged; a receive that fails has no client
        body.log_receive_failure(error)
    body.interrupt("disconnect")
