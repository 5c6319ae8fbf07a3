"""One daemon thread that looks at registered objects at an interval, and runs only while there are any.

Who owns what: any thread adds and discards; the supervisor's own thread calls `look`. Objects are held weakly. The
thread starts with the first object, and ends after it has found none for a while. A forked child starts without it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

__all__ = ["Supervisor"]

T = TypeVar("T")


class Supervisor(Generic[T]):
    """Looks at objects in a thread.

    Args:
        name: of the thread.
        look: called with the objects, at each interval; it does not raise.
        interval: seconds between two looks.
        idle_looks: looks without an object, after which the thread ends.
        on_start_failure: called if the thread cannot be started; the objects are not looked at then.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[list[T]], object],
        *,
        interval: float,
        idle_looks: int,
        on_start_failure: Callable[[RuntimeError], object] = id,
    ) -> None:
        self._name = name
        self._look = look
        self._interval = interval
        self._idle_looks = idle_looks
        self._on_start_failure = on_start_failure
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._objects: WeakValueDictionary[int, T] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._is_running = False

    def add(self, watched: T) -> None:
        """Look at an object from now on."""
        with self._lock:  # so that the thread, if it is about to end, sees the object or is started again
            self._objects[id(watched)] = watched
            if self._is_running:
                return
            self._is_running = True
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError as error:  # the process has no more threads, or is about to end
            self._is_running = False
            self._on_start_failure(error)

    def discard(self, watched: T) -> None:
        """Look at an object no longer; one look may still be in progress."""
        self._objects.pop(id(watched), None)

    def _run(self) -> None:
        idle_looks = 0
        while idle_looks < self._idle_looks or not self._is_over():
            time.sleep(self._interval)
            # `valuerefs` is safe while other threads add and discard
            objects = [watched for reference in self._objects.valuerefs() if (watched := reference()) is not None]
            idle_looks = 0 if objects else idle_looks + 1
            self._look(objects)
            del objects  # they must not be kept alive during the sleep

    def _is_over(self) -> bool:
        with self._lock:
            self._is_running = bool(self._objects)
        return not self._is_running
