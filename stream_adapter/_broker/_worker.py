"""A thread that runs jobs one after the other, now or after some seconds. It starts with the first job."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count

from stream_adapter._log import logger

__all__ = ["Worker"]


class Worker:
    """Jobs in their order; a job that is due comes before those that were submitted after its time.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = threading.Condition()
        self._numbers = count()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job as soon as those before it are done."""
        self.after(0.0, job)

    def after(self, seconds: float, job: Callable[[], None]) -> None:
        """Run a job after some seconds. Jobs of a closed worker are dropped, if they have not begun.

        Raises:
            RuntimeError: the system has no thread for it.
        """
        with self._changed:
            if self._is_closed:
                return
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()  # the system may refuse it
                self._thread = thread
            entry = time.monotonic() + seconds, next(self._numbers), job
            heapq.heappush(self._jobs, entry)
            if self._jobs[0] is entry:  # else the thread wakes up for another before
                self._changed.notify()

    def finish(self, last: Callable[[], None] | None) -> None:
        """Drop what waits, run a last job if the thread has run any, and end it."""
        with self._changed:
            self._is_closed = True
            self._jobs = [] if last is None else [(0.0, next(self._numbers), last)]
            self._changed.notify()

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                try:
                    job()
                except Exception:  # noqa: BLE001  # the thread goes on to the next job
                    logger.exception("a job of %s failed; going on", self._name)
                del job  # what it holds must not live on in an idle thread
        finally:
            with self._changed:
                self._thread = None  # something has interrupted it: the next job starts another

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while self._jobs or not self._is_closed:
                wait = self._jobs[0][0] - time.monotonic() if self._jobs else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._jobs)[2]
                self._changed.wait(wait)
            return None
