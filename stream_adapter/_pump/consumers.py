"""The side of the crossing that serves: it takes what is ready, waits when nothing is, and keeps the time.

Two short loops, one sync and one async, around the same steps.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

from stream_adapter.types import Reason

from .deadlines import Deadlines
from .producers import Producer
from .wakeups import LoopWaker, ThreadWaker

__all__ = ["AsyncConsumer", "Interrupted", "SyncConsumer"]


class Interrupted(Exception):  # noqa: N818  # no error: the stream was told to end
    """The stream was told to end while its consumer waited.

    Attributes:
        reason: why, as in `StreamSummary.reason`.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


_TAIL = 256  # bytes, so that a comment of one line is in them
# A frame of an event stream ends with a blank line; comments and a retry have none, and each is whole by itself
_FRAME_END = re.compile(rb"(?:\n\n|\r\n\r\n|\r\r)(?:(?::|retry:)[^\r\n]*\n)*\Z")


class _Consumer:
    """What the two forms share.

    Args:
        producer: the other side.
        deadlines: its deadlines.
        one_by_one: give chunks as they were yielded, rather than joined.
    """

    __slots__ = ("_keepalive_frame", "_one_by_one", "_tail", "buffer", "deadlines", "interruption", "producer")

    def __init__(self, producer: Producer, deadlines: Deadlines, *, one_by_one: bool) -> None:
        self._one_by_one = one_by_one
        self.producer = producer
        self.buffer = producer.buffer
        self.deadlines = deadlines
        self.interruption: Reason | None = None
        self._keepalive_frame = b""
        self._tail = b"\n\n"  # what was sent last: a keepalive may follow the end of a frame, and nothing else

    def commit(self, keepalive: float | None, keepalive_frame: bytes) -> None:
        """Keep the connection alive from now on: the status line goes out, and before it there was nothing to keep."""
        self._keepalive_frame = keepalive_frame
        self.deadlines.last_sent_at = time.monotonic()
        self.deadlines.keepalive = keepalive

    def ready(self) -> bool:
        """Say whether `next` returns, or raises, at once."""
        return bool(self.buffer.items) or self.buffer.ended or self.interruption is not None

    def _take(self) -> list[bytes] | None:
        """Return what is ready, in blocks; [] at the end, None if one must wait."""
        if self.interruption is not None:
            raise Interrupted(self.interruption)
        buffer = self.buffer
        if not buffer.items:
            if not buffer.ended:
                return None
            if not buffer.items:  # looked at again: the last chunk may have come just before the end
                return []
        batch = buffer.take() if self._one_by_one else [buffer.take_joined()]
        self.producer.resume()
        self._tail = _tail(self._tail, batch)  # of the first batch too, which comes before there is a keepalive
        if self.deadlines.any_set:
            self.deadlines.last_item_at = self.deadlines.last_sent_at = time.monotonic()
            self.deadlines.check(self.deadlines.last_item_at)
        return batch

    def _overdue(self) -> list[bytes] | None:
        """Return a keepalive if it is time for one."""
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


class AsyncConsumer(_Consumer):
    """Consumes in a task.

    Args:
        waker: the producer wakes it.
    """

    __slots__ = ("_waker",)

    def __init__(self, producer: Producer, waker: LoopWaker, deadlines: Deadlines, *, one_by_one: bool) -> None:
        super().__init__(producer, deadlines, one_by_one=one_by_one)
        self._waker = waker

    async def next(self) -> list[bytes]:
        """Return what is ready, waiting for it; [] at the end, of which `buffer.error` is the cause.

        Raises:
            Interrupted: the stream was told to end.
            StreamTimeoutError: a deadline passed.
        """
        if self.buffer.items or self.producer.pull():
            await asyncio.sleep(0)  # a source that is always ready must not keep the loop to itself
        while (batch := self._take()) is None:
            await self._waker.wait(self.ready, self.deadlines.time_left(time.monotonic()))
            if not self.ready() and (keepalive := self._overdue()) is not None:
                return keepalive
        return batch

    async def wait_ready(self, timeout: float | None) -> None:
        """Wait until there is something to take, at most `timeout` seconds."""
        await self._wait(self.ready, timeout)

    async def wait_ended(self, timeout: float | None) -> bool:
        """Wait until the source is closed; False if that took longer than `timeout` seconds."""
        return await self._wait(lambda: self.buffer.ended, timeout)

    async def _wait(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not holds():
            rest = None if deadline is None else deadline - time.monotonic()
            if rest is not None and rest <= 0:
                return False
            await self._waker.wait(holds, rest)
        return True

    def interrupt(self, reason: Reason) -> None:
        """End the stream from within its loop."""
        self.interruption = reason
        self._waker.wake()


class SyncConsumer(_Consumer):
    """Consumes in a thread.

    Args:
        waker: the producer wakes it.
    """

    __slots__ = ("_jobs", "_jobs_waited", "_waker")

    def __init__(self, producer: Producer, waker: ThreadWaker, deadlines: Deadlines, *, one_by_one: bool) -> None:
        super().__init__(producer, deadlines, one_by_one=one_by_one)
        self._waker = waker
        self._jobs: list[Callable[[], object]] = []
        self._jobs_waited = False

    def next(self) -> list[bytes]:
        """Return what is ready, waiting for it; [] at the end, of which `buffer.error` is the cause.

        Raises:
            Interrupted: the stream was told to end.
            StreamTimeoutError: a deadline passed.
        """
        if self._jobs_waited:
            self._run_jobs()
        if not self.buffer.items:
            self.producer.pull()
        while (batch := self._take()) is None:
            self._waker.wait(self._is_wanted, self.deadlines.time_left(time.monotonic()))
            if self._run_jobs() or self.ready():
                continue
            if (keepalive := self._overdue()) is not None:
                return keepalive
        self._jobs_waited = bool(self._jobs)
        return batch

    def ask(self, job: Callable[[], object]) -> None:
        """Have the consuming thread run a job when it waits, or after one more batch; from any thread."""
        self._jobs.append(job)
        self._waker.wake()

    def _is_wanted(self) -> bool:
        return bool(self._jobs) or self.ready()

    def _run_jobs(self) -> bool:
        """Run what was asked for; say whether anything was."""
        if not self._jobs:
            return False
        while self._jobs:
            self._jobs.pop(0)()
        return True

    def wait_ready(self, timeout: float) -> None:
        """Wait until there is something to take, at most `timeout` seconds."""
        self._wait(self.ready, timeout)

    def wait_ended(self, timeout: float | None) -> bool:
        """Wait until the source is closed; False if that took longer than `timeout` seconds."""
        return self._wait(lambda: self.buffer.ended, timeout)

    def _wait(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not holds():
            rest = None if deadline is None else deadline - time.monotonic()
            if rest is not None and rest <= 0:
                return False
            self._waker.wait(holds, rest)
        return True

    def interrupt(self, reason: Reason) -> None:
        """End the stream from any thread."""
        self.interruption = reason
        self._waker.wake()
