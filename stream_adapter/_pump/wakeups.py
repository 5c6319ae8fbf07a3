"""How one side of a buffer wakes the other: a wake-up is sent only while the other side waits.

The waiting side sets `waiting`, checks its condition once more, and only then waits. The waking side changes the state
first, and then reads `waiting`. One of the two always sees the other's change, so no wake-up is lost. A spurious one is
harmless: the waiting side checks its condition again. (Dekker's protocol; it needs the sequential consistency that
CPython's threads give.)
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable

from .background_loop import running_loop

__all__ = ["LoopWaker", "ThreadWaker", "Waker"]


class Waker:
    """The waking side's view.

    Attributes:
        waiting: whether the other side waits. A hot loop reads this before it calls `wake`.
    """

    __slots__ = ("_always", "waiting")

    def __init__(self) -> None:
        self.waiting: bool = False
        self._always = False

    def wake(self) -> None:
        """Wake the other side if it waits."""
        if self.waiting:
            self.waiting = self._always
            self._notify()

    def wake_always(self) -> None:
        """Wake the other side on every change, so that a stopping producer notices."""
        self._always = self.waiting = True

    def _notify(self) -> None:
        raise NotImplementedError


class LoopWaker(Waker):
    """Wakes one task.

    Args:
        threadsafe: whether other threads call `wake`.
    """

    __slots__ = ("_loop", "_threadsafe", "_waiter")

    def __init__(self, *, threadsafe: bool) -> None:
        super().__init__()
        self._loop = running_loop()
        self._threadsafe = threadsafe
        self._waiter: asyncio.Future[None] | None = None

    def _notify(self) -> None:
        if not self._threadsafe:
            self._set()
            return
        try:
            self._loop.call_soon_threadsafe(self._set)
        except RuntimeError:  # the loop is closed, and no task of it waits
            return

    def _set(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self, ready: Callable[[], object], timeout: float | None = None) -> None:
        """Wait for `wake`: not at all if `ready()` holds, and for at most `timeout` seconds."""
        waiter = self._waiter = self._loop.create_future()
        timer = None if timeout is None else self._loop.call_later(timeout, self._set)
        self.waiting = True
        try:
            if not ready():
                await waiter
        finally:
            self.waiting = self._always
            self._waiter = None
            if timer is not None:
                timer.cancel()


class ThreadWaker(Waker):
    """Wakes one thread."""

    __slots__ = ("_wakes",)

    def __init__(self) -> None:
        super().__init__()
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()  # looked up late: gevent may replace it

    def _notify(self) -> None:
        self._wakes.put(None)

    def wait(self, ready: Callable[[], object], timeout: float | None = None) -> None:
        """Wait for `wake`: not at all if `ready()` holds, and for at most `timeout` seconds."""
        self.waiting = True
        if not ready():
            with contextlib.suppress(queue.Empty):
                self._wakes.get(timeout=None if timeout is None else max(timeout, 0))
        self.waiting = self._always
