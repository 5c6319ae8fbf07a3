"""The consumers: each takes what is ready, waits when nothing is, and applies the deadlines.

Two short loops, one sync and one async (`async_consumer.py`), around the same steps. An `Interruption` ends either.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from .deadlines import Deadlines
from .producers import Producer
from .wakeups import Interrupted, Interruption, LoopWaker, ThreadWaker

__all__ = ["Consumer", "SyncConsumer"]

_WHOLE = b"\n\n"
_TAIL = 256  # bytes, enough for a comment of one line
# A frame of an event stream ends with a blank line; comments and a retry have none, and each is whole by itself
_FRAME_END = re.compile(rb"(?:\n\n|\r\n\r\n|\r\r)(?:(?::|retry:)[^\r\n]*\n)*\Z")


W = TypeVar("W", LoopWaker, ThreadWaker)


class Consumer(Generic[W]):
    """The steps that both forms share.

    Args:
        producer: the other side of the buffer.
        waker: the producer wakes it.
        deadlines: of the stream.
        interruption: ends the stream.
        one_by_one: return chunks as they were yielded, rather than joined.
    """

    __slots__ = (
        "_is_polled",
        "_is_timed",
        "_keepalive_frame",
        "_one_by_one",
        "_tail",
        "_waker",
        "buffer",
        "deadlines",
        "interruption",
        "producer",
    )

    def __init__(
        self, producer: Producer, waker: W, deadlines: Deadlines, interruption: Interruption, *, one_by_one: bool
    ) -> None:
        self._one_by_one = one_by_one
        self._waker: W = waker
        interruption.waker = waker
        self.producer = producer
        self._is_polled = producer.is_polled
        self.buffer = producer.buffer
        self.deadlines = deadlines
        self._is_timed = deadlines.any_set
        self.interruption = interruption
        self._keepalive_frame = b""
        self._tail = _WHOLE  # what was sent last: a keepalive may follow the end of a frame only

    def commit(self, keepalive: float | None, keepalive_frame: bytes) -> None:
        """Start to send keepalives: the status line goes out now, and nothing can be sent before it."""
        self._keepalive_frame = keepalive_frame
        self.deadlines.last_sent_at = time.monotonic()
        self.deadlines.keepalive = keepalive
        self._is_timed = self.deadlines.any_set

    def stop(self) -> None:
        """End the stream: its producer closes the source after its present step, and ends the buffer."""
        self.producer.stopping = True
        self._waker.wake_always()  # so that a hot loop looks at `stopping` after its next item
        self.producer.stop()

    def is_ready(self) -> bool:
        """Return True if `next` would return, or raise, at once."""
        return bool(self.buffer.items) or self.buffer.ended or self.interruption.reason is not None

    def _take(self) -> list[bytes] | None:
        """Return the blocks that are ready; [] at the end, None if there are not any yet."""
        if self.interruption.reason is not None:
            raise Interrupted
        buffer = self.buffer
        if not buffer.items:
            if not buffer.ended:
                return None
            if not buffer.items:  # read again: the last chunk may have come just before the end
                return []
        batch = buffer.take() if self._one_by_one else [buffer.take_joined()]
        if not self._is_polled:
            self.producer.resume()
        # also of the first batch, before keepalives start; most are whole frames
        self._tail = _WHOLE if batch[-1].endswith(_WHOLE) else _tail(self._tail, batch)
        if self._is_timed:
            self.deadlines.sent(time.monotonic())
        return batch

    def _time_left(self) -> float | None:
        return self.deadlines.time_left(time.monotonic()) if self._is_timed else None

    def _due_keepalive(self) -> list[bytes] | None:
        """Return a keepalive if one is due. Only an event stream has a frame for it, and only between two frames."""
        now = time.monotonic()
        if self.deadlines.check(now) is None:
            return None
        self.deadlines.last_sent_at = now
        return [self._keepalive_frame] if _FRAME_END.search(self._tail) else None


def _tail(before: bytes, batch: list[bytes]) -> bytes:
    """Return the last bytes of the stream: a frame's end may lie across chunks."""
    tail = b""
    for chunk in reversed(batch):
        tail = chunk[-_TAIL:] + tail
        if len(tail) >= _TAIL:
            return tail[-_TAIL:]
    return (before + tail)[-_TAIL:]


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
