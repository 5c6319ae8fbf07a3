"""The consumer of a thread, which also runs jobs there while it waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from .consumers import Consumer
from .deadlines import Deadlines
from .producers import Producer
from .wakeups import Interruption, ThreadWaker

__all__ = ["SyncConsumer"]


class SyncConsumer(Consumer[ThreadWaker]):
    """Consumes in a thread."""

    __slots__ = ("_jobs", "_jobs_waited")

    def __init__(
        self,
        producer: Producer,
        waker: ThreadWaker,
        deadlines: Deadlines,
        interruption: Interruption,
        *,
        one_by_one: bool,
    ) -> None:
        super().__init__(producer, waker, deadlines, interruption, one_by_one=one_by_one)
        self._jobs: list[Callable[[], object]] = []
        self._jobs_waited = False

    def next(self) -> list[bytes]:
        """Return what is ready, waiting for it; [] at the end, with its cause in `buffer.error`.

        Raises:
            Interrupted: the stream was interrupted.
            StreamTimeoutError: a deadline passed.
        """
        if self._jobs_waited:
            self._run_jobs()
        if not self.buffer.items and self.producer.is_pulled:
            self.producer.pull()
        while (batch := self._take()) is None:
            self._waker.wait(self._has_work, self._time_left())
            if self._run_jobs() or self.is_ready():
                continue
            if (keepalive := self._due_keepalive()) is not None:
                return keepalive
        self._jobs_waited = bool(self._jobs)
        return batch

    def call_soon(self, job: Callable[[], object]) -> None:
        """Run a job in the consuming thread when it waits, or after one more batch. May be called in any thread."""
        self._jobs.append(job)
        self._waker.wake()

    def _has_work(self) -> bool:
        return bool(self._jobs) or self.is_ready()

    def _run_jobs(self) -> bool:
        """Run the jobs; return True if there were any."""
        if not self._jobs:
            return False
        while self._jobs:
            self._jobs.pop(0)()
        return True

    def wait_ready(self, timeout: float) -> None:
        """Wait until `is_ready`, for at most `timeout` seconds."""
        self._wait(self.is_ready, timeout)

    def wait_ended(self, timeout: float | None) -> bool:
        """Wait until the source is closed; return False after `timeout` seconds."""
        return self._wait(lambda: self.buffer.ended, timeout)

    def _wait(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not holds():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            self._waker.wait(holds, left)
        return True
