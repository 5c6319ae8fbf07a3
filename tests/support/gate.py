"""A gate that one side opens and the other waits for, in a thread or in a task: how tests order what happens."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

BOUND = 60.0  # seconds after which a wait is a failed test, not a slow one on a busy machine


class Gate:
    """Each `open` lets one waiter through, whichever of the two comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened = 0
        self._waiting: deque[Callable[[], object]] = deque()

    def open(self) -> None:
        with self._lock:
            if not self._waiting:
                self._opened += 1
                return
            wake = self._waiting.popleft()
        wake()

    def wait(self) -> None:
        opened = threading.Event()
        if self._must_wait(opened.set) and not opened.wait(BOUND):
            raise TimeoutError("the gate was not opened")

    async def wait_async(self) -> None:
        loop, opened = asyncio.get_running_loop(), asyncio.Event()
        if self._must_wait(lambda: loop.call_soon_threadsafe(opened.set)):
            await asyncio.wait_for(opened.wait(), BOUND)

    def _must_wait(self, wake: Callable[[], object]) -> bool:
        with self._lock:
            if not self._opened:
                self._waiting.append(wake)
                return True
            self._opened -= 1
            return False
