"""How listeners are woken: those of an event loop together, by one call into it; those of threads each by its own.

A waiter belongs to its loop or thread. A `LoopGroup` hears of events in any thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol, TypeAlias

from stream_adapter._pump import current_loop, interruptible

__all__ = [
    "LoopGroup",
    "LoopWaiter",
    "ThreadWaiter",
    "Waiter",
    "Waiters",
    "is_gevent",
    "wait_interruptibly",
]

_AT_A_TIME = 64  # listeners that are woken in one step of a loop, and may be sent to: a millisecond or two
_INTERRUPTIBLE = 0.25  # seconds: job queues raise an exception in a thread, which a wait for a lock does not notice


class LoopWaiter:
    """A listener on an event loop.

    Attributes:
        group: those of its loop.
        changed: called to wake it, if it does not wait in a task.
    """

    __slots__ = ("_future", "changed", "group")

    def __init__(self, group: LoopGroup) -> None:
        self.group: LoopGroup = group
        self.changed: Callable[[], None] | None = None
        self._future: asyncio.Future[None] | None = None

    @property
    def wake(self) -> Callable[[], None]:
        """What wakes the listener if it waits. Call it on its loop."""
        return self.changed or self._end_wait

    def _end_wait(self) -> None:
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)

    async def wait(self) -> None:
        """Wait until it is woken. The caller checks its condition before, in the same step of the loop."""
        self._future = self.group.loop.create_future()
        try:
            await self._future
        finally:
            self._future = None


class ThreadWaiter:
    """A listener in a thread, or a greenlet."""

    __slots__ = ("_event", "_wait")

    def __init__(self) -> None:
        self._event = threading.Event()
        # a greenlet is interrupted at once, and thousands of them would keep the loop of gevent busy
        self._wait = _wait_at_once if is_gevent() else wait_interruptibly

    @property
    def wake(self) -> Callable[[], None]:
        """What wakes it, from any thread; it checks again even if it did not wait."""
        return self._event.set

    def wait(self) -> None:
        """Wait until it is woken. The caller checks its condition afterwards.

        Raises:
            ConnectionError: the source of a stream waits here, and that stream is over.
        """
        with interruptible(self._event.set):
            self._wait(self._event)
        self._event.clear()


def wait_interruptibly(event: threading.Event) -> None:
    """Wait in this thread, and notice soon what another one raises in it; what sets the event ends the wait at once."""
    while not event.wait(_INTERRUPTIBLE):
        pass


def _wait_at_once(event: threading.Event) -> None:
    event.wait()


def is_gevent() -> bool:
    """Return True if gevent has made the threads of this process greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


Waiter: TypeAlias = LoopWaiter | ThreadWaiter


class Waiters(Protocol):
    """What has listeners that wait, and for each of them what wakes it."""

    @property
    def by_group(self) -> dict[LoopGroup | None, dict[Waiter, Callable[[], None]]]: ...


class LoopGroup:
    """The listeners of one event loop. However many events come before it runs, the loop is called once.

    Attributes:
        loop: the event loop.
        count: number of listeners.
    """

    __slots__ = ("_due", "_is_called", "_lock", "count", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, lock: AbstractContextManager[object]) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.count: int = 0
        self._lock = lock
        self._due: dict[Waiters, None] = {}
        self._is_called = False  # the loop is, to wake those that are due

    def schedule(self, channel: Waiters) -> bool:
        """Note that a channel's listeners are to be woken, under the hub's lock; return True if `call` must follow."""
        self._due[channel] = None
        was_called, self._is_called = self._is_called, True
        return not was_called

    def call(self) -> None:
        """Ask the loop to wake those that are due; best without the hub's lock, which the loop takes at once."""
        with suppress(RuntimeError):  # the loop is closed, and every task of it has ended
            if current_loop() is self.loop:
                self.loop.call_soon(self._wake)
            else:
                self.loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._lock:
            self._is_called = False
            due, self._due = self._due, {}
            wakes: list[Callable[[], None]] = []
            for channel in due:
                wakes += channel.by_group.get(self, {}).values()
        self._wake_some(wakes)

    def _wake_some(self, wakes: list[Callable[[], None]]) -> None:
        """Wake listeners, a few at a time: other tasks of the loop run between them."""
        for wake in wakes[-_AT_A_TIME:]:
            wake()
        del wakes[-_AT_A_TIME:]
        if wakes:
            self.loop.call_soon(self._wake_some, wakes)
