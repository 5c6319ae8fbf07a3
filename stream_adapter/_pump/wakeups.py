"""How one side of a buffer wakes the other: a wake-up is sent only while the other side waits.

The waiting side sets `waiting`, checks its condition once more, and only then waits. The waking side changes the state
first, and then reads `waiting`. One of the two always sees the other's change, so no wake-up is lost. A spurious one is
harmless: the waiting side checks its condition again. (Dekker's protocol; it needs the sequential consistency that
CPython's threads give.)

An `Interruption` wakes the side that takes, too: nothing more is to come.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from stream_adapter.types import Reason

from .tasks import running_loop

__all__ = ["Interrupted", "Interruption", "LoopWaker", "ThreadWaker", "Waker"]


_contexts: WeakKeyDictionary[asyncio.AbstractEventLoop, Context] = WeakKeyDictionary()


def _timer_context(loop: asyncio.AbstractEventLoop) -> Context:
    """Return the context in which the timers of a loop run, which call no user's code: each would copy one."""
    context = _contexts.get(loop)
    if context is None:
        context = _contexts[loop] = Context()
    return context


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
        loop: of the task; None for the one that runs.

    Attributes:
        is_threadsafe: the same.
        waiter: what the task waits for; None while it does not.
    """

    __slots__ = ("_loop", "_timer", "is_threadsafe", "waiter")

    def __init__(self, *, threadsafe: bool, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__()
        self._loop = loop or running_loop()
        self.is_threadsafe: bool = threadsafe
        self.waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Wake the task if it waits."""
        if not self.waiting:
            return
        self.waiting = self._always
        if not self.is_threadsafe:
            waiter = self.waiter  # `_set`, without a call: each listener of a channel is woken here
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and no task of it waits
            self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self, ready: Callable[[], object], timeout: float | None = None) -> None:
        """Wait for `wake`: not at all if `ready()` holds, and for at most `timeout` seconds."""
        waiter = self.begin()
        timer = None if timeout is None else self._loop.call_later(timeout, self._set)
        try:
            if not ready():
                await waiter
        finally:
            self.end()
            if timer is not None:
                timer.cancel()

    def begin(self) -> asyncio.Future[None]:
        """Return what `wake` completes from now on. If threads wake, look again before it is awaited."""
        waiter = self.waiter = self._loop.create_future()
        self.waiting = True
        return waiter

    def end(self) -> None:
        """Wait no more."""
        self.waiting = self._always
        self.waiter = None

    @property
    def has_timer(self) -> bool:
        """Whether a timer is set that will end a wait."""
        return self._timer is not None

    def set_timer(self, seconds: float) -> None:
        """End the wait that is under way in so many seconds, if one is then: a timer serves many waits."""
        self._timer = self._loop.call_later(seconds, self, context=_timer_context(self._loop))

    def __call__(self) -> None:
        """End the wait: the timer's time has come. A bound method would be one more object for each silent stream."""
        self._timer = None
        self._set()

    def drop_timer(self) -> None:
        """Cancel the timer."""
        timer, self._timer = self._timer, None
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


class Interrupted(Exception):  # noqa: N818  # control flow, not an error
    """The stream was interrupted: its consumer takes nothing more."""


@dataclass(slots=True, eq=False, repr=False)
class Interruption:
    """The one signal that ends a stream before its source: a disconnect, a passed deadline, a drain.

    Attributes:
        reason: why, as in `StreamSummary.reason`; None while the signal is not set.
        waker: wakes the consumer; set by it.
        callback: ends what the server side waits for; set by it.
    """

    reason: Reason | None = None
    waker: Waker | None = None
    callback: Callable[[], None] | None = None

    def set(self, reason: Reason) -> None:
        """Set the signal. It can be set more than once, and the first reason stays."""
        self.reason = self.reason or reason
        if self.waker is not None:
            self.waker.wake()
        callback = self.callback  # read once: its owner may take it back, in its own thread
        if callback is not None:
            callback()
