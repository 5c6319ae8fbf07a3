"""How one side wakes the other: a bell is rung only while somebody listens for it.

The listener sets `listening`, looks once more, and only then waits; the ringer changes the state, and only then looks
at `listening`. Whichever comes second sees the other, so no ring is lost. A ring too many is harmless: the listener
looks again. (Dekker's protocol; it needs the sequential consistency that CPython's threads give.)
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable

from .background_loop import running_loop

__all__ = ["Bell", "LoopBell", "ThreadBell"]


class Bell:
    """What the ringing side sees.

    Attributes:
        listening: whether to ring. A fast loop looks at this first.
    """

    __slots__ = ("_insistent", "listening")

    def __init__(self) -> None:
        self.listening: bool = False
        self._insistent = False

    def ring(self) -> None:
        """Wake the listener if there is one."""
        if self.listening:
            self.listening = self._insistent
            self._wake()

    def insist(self) -> None:
        """Have every change rung from now on: the listener is about to leave, and the ringer is to notice."""
        self._insistent = self.listening = True

    def _wake(self) -> None:
        raise NotImplementedError


class LoopBell(Bell):
    """Wakes one task.

    Args:
        crossing: whether it is rung from other threads.
    """

    __slots__ = ("_crossing", "_loop", "_waiter")

    def __init__(self, *, crossing: bool) -> None:
        super().__init__()
        self._loop = running_loop()
        self._crossing = crossing
        self._waiter: asyncio.Future[None] | None = None

    def _wake(self) -> None:
        if not self._crossing:
            self._set()
            return
        try:
            self._loop.call_soon_threadsafe(self._set)
        except RuntimeError:  # the loop is closed: nobody is there to be woken
            return

    def _set(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self, ready: Callable[[], object], timeout: float | None = None) -> None:
        """Return when the bell rings, at once if `ready()` holds, and at the latest after `timeout` seconds."""
        waiter = self._waiter = self._loop.create_future()
        timer = None if timeout is None else self._loop.call_later(timeout, self._set)
        self.listening = True
        try:
            if not ready():
                await waiter
        finally:
            self.listening = self._insistent
            self._waiter = None
            if timer is not None:
                timer.cancel()


class ThreadBell(Bell):
    """Wakes one thread."""

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        super().__init__()
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()  # looked up late: gevent may replace it

    def _wake(self) -> None:
        self._rings.put(None)

    def wait(self, ready: Callable[[], object], timeout: float | None = None) -> None:
        """Return when the bell rings, at once if `ready()` holds, and at the latest after `timeout` seconds."""
        self.listening = True
        if not ready():
            with contextlib.suppress(queue.Empty):
                self._rings.get(timeout=None if timeout is None else max(timeout, 0))
        self.listening = self._insistent
