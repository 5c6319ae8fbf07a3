"""The consumers: each takes what is ready, waits when nothing is, and applies the deadlines.

Two short loops, one async and one sync (`sync_consumer.py`), around the same steps. An `Interruption` ends either. What
a polled source has while a task waits can be sent without resuming the task.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

from stream_adapter.errors import StreamTimeoutError

from .deadlines import Deadlines
from .producers import PolledProducer, Producer
from .wakeups import Interrupted, Interruption, LoopWaker, ThreadWaker

__all__ = ["AsyncConsumer", "Consumer", "SendEarly"]

_WHOLE = b"\n\n"
_TAIL = 256  # bytes, enough for a comment of one line
# A frame of an event stream ends with a blank line; comments and a retry have none, and each is whole by itself
_FRAME_END = re.compile(rb"(?:\n\n|\r\n\r\n|\r\r)(?:(?::|retry:)[^\r\n]*\n)*\Z")

W = TypeVar("W", LoopWaker, ThreadWaker)

SendEarly: TypeAlias = Callable[[bytes, "asyncio.Future[None]"], bool]
"""Sends a block while the consumer's task waits for a future; returns False if the task must finish that."""


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
        self._note_taken(batch)
        return batch

    def _note_taken(self, batch: list[bytes]) -> None:
        """Note what is sent next, also before keepalives start: these follow whole frames, and deadlines begin again.

        Raises:
            StreamTimeoutError: total_timeout has passed.
        """
        self._tail = _WHOLE if batch[-1].endswith(_WHOLE) else _tail(self._tail, batch)
        if self._is_timed:
            self.deadlines.sent(time.monotonic())

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


class AsyncConsumer(Consumer[LoopWaker]):
    """Consumes in a task."""

    __slots__ = ("_gives_way", "_has_unsent", "_is_pulled", "_send_early")

    def __init__(
        self,
        producer: Producer,
        waker: LoopWaker,
        deadlines: Deadlines,
        interruption: Interruption,
        *,
        one_by_one: bool,
    ) -> None:
        super().__init__(producer, waker, deadlines, interruption, one_by_one=one_by_one)
        self._is_pulled = producer.is_pulled
        self._send_early: SendEarly | None = None
        self._has_unsent = False  # what `_send_early` has begun to send is not sent
        self._gives_way = False  # other tasks run before what is ready is taken

    def is_ready(self) -> bool:
        """Return True if `next` would return, or raise, at once."""
        buffer = self.buffer
        if buffer.items or buffer.ended or self.interruption.reason is not None:
            return True
        return self._is_polled and self.producer.pull()

    async def next(self) -> list[bytes]:
        """Return what is ready, waiting for it; [] at the end, with its cause in `buffer.error`.

        An empty chunk asks the caller to finish what `send_early` has begun to send.

        Raises:
            Interrupted: the stream was interrupted.
            StreamTimeoutError: a deadline passed.
        """
        while (batch := self.take()) is None:
            await self.wait()
        return batch

    def take(self) -> list[bytes] | None:
        """Return what `next` would return, without a wait; None if `wait` must be awaited before.

        Raises:
            Interrupted, StreamTimeoutError: as `next`.
        """
        waker, buffer = self._waker, self.buffer
        if waker.waiter is not None:
            return self._take_after_wait()
        if self._is_pulled and not buffer.items:
            self.producer.pull()
        # a source that is always ready must not keep the loop to itself
        self._gives_way = bool(buffer.items and buffer.taken_count) and not self._gives_way
        return None if self._gives_way else self._take()

    def _take_after_wait(self) -> list[bytes] | None:
        self._waker.end()
        if self._has_unsent:
            self._has_unsent = False
            return [b""]
        if self._is_polled:
            self.producer.pull()
        batch = self._take()
        if batch is None and self._is_timed:
            batch = self._due_keepalive()
        return batch

    def wait(self) -> Awaitable[None]:
        """Return what to await until something may be ready. No coroutine: thousands may stand here."""
        if self._gives_way:
            return asyncio.sleep(0)
        waker = self._waker
        if self._is_timed and not waker.has_timer:
            self._set_timer()
        waiter = waker.begin()
        if waker.is_threadsafe and self.is_ready():
            waiter.set_result(None)
        return waiter

    @property
    def can_send_early(self) -> bool:
        """Whether the source is polled, and its chunks may be joined."""
        return self._is_polled and not self._one_by_one

    def send_early(self, send: SendEarly) -> None:
        """Send what comes while the task waits in `next` by this, if it can be."""
        if isinstance(self.producer, PolledProducer):
            self._send_early = send
            self.producer.sender = self

    def send_ready(self) -> bool:
        """Send what is ready while the task waits; return False if it must go on: to finish that, for more, to end."""
        producer, buffer, send, waiter = self.producer, self.buffer, self._send_early, self._waker.waiter
        if send is None or waiter is None or waiter.done() or buffer.items:
            return False
        chunks = producer.ready()
        if buffer.ended:
            buffer.put_all(chunks)
            return False
        if chunks:
            buffer.taken_count += len(chunks)
            block = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            try:
                self._note_taken([block])
            except StreamTimeoutError:  # the task raises it
                return False
            self._has_unsent = not send(block, waiter)
        return not (self._has_unsent or producer.has_more)

    def _set_timer(self) -> None:
        """Set a timer for the next deadline. Sending moves that deadline; the timer is then set again."""
        left = self._time_left()
        if left is not None:
            self._waker.set_timer(left)

    def commit(self, keepalive: float | None, keepalive_frame: bytes) -> None:
        """Start to send keepalives, which may be due before other deadlines."""
        super().commit(keepalive, keepalive_frame)
        self._waker.drop_timer()

    def stop(self) -> None:
        """End the stream, and keep no timer: nothing more is taken."""
        if self._send_early is not None and isinstance(self.producer, PolledProducer):
            self._send_early = self.producer.sender = None  # they refer to each other
        super().stop()
        self._waker.drop_timer()

    async def wait_ready(self, timeout: float | None) -> None:
        """Wait until `is_ready`, for at most `timeout` seconds."""
        await self._wait(self.is_ready, timeout)

    async def wait_ended(self, timeout: float | None) -> bool:
        """Wait until the source is closed; return False after `timeout` seconds.

        A cancellation does not end the wait: a loop that ends cancels its tasks, and waits for them.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                left = None if deadline is None else deadline - time.monotonic()
                return await self._wait(lambda: self.buffer.ended, left)
            except asyncio.CancelledError:
                continue

    async def _wait(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not holds():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            await self._waker.wait(holds, left)
        return True
