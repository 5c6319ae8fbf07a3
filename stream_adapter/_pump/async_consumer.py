"""The consumer of a task. What a polled source has while the task waits can be sent without resuming it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeAlias

from stream_adapter.errors import StreamTimeoutError

from .consumers import Consumer
from .deadlines import Deadlines
from .producers import PolledProducer, Producer
from .wakeups import Interrupted, Interruption, LoopWaker

__all__ = ["AsyncConsumer", "SendEarly"]

SendEarly: TypeAlias = Callable[[bytes, "asyncio.Future[None]"], bool]
"""Sends a block while the consumer's task waits for a future; returns False if the task must finish that."""


class AsyncConsumer(Consumer[LoopWaker]):
    """Consumes in a task."""

    __slots__ = ("_has_unsent", "_is_pulled", "_send_early")

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
        if not self.buffer.items and self._is_pulled:
            self.producer.pull()
        if self.buffer.items and self.buffer.taken_count:
            await asyncio.sleep(0)  # a source that is always ready must not keep the loop to itself
        waker = self._waker
        batch = self._take()
        while batch is None:
            if self._is_timed and not waker.has_timer:
                self._set_timer()
            waiter = waker.begin()  # `waker.wait`, without a coroutine: thousands may stand here
            try:
                if not (waker.is_threadsafe and self.is_ready()):
                    await waiter
            finally:
                waker.end()
            if self._has_unsent:
                self._has_unsent = False
                return [b""]
            if self._is_polled:
                self.producer.pull()
            batch = self._take()
            if batch is None and self._is_timed:
                batch = self._due_keepalive()
        return batch

    def send_early(self, send: SendEarly) -> None:
        """Send what comes while the task waits in `next` by this, if the source is polled and chunks may be joined."""
        if isinstance(self.producer, PolledProducer) and not self._one_by_one:
            self._send_early = send
            self.producer.send_early = self._send_ready

    def _send_ready(self) -> bool:
        """Send what is ready while the task waits; return False if it must go on: to finish that, for more, to end."""
        producer, buffer, send, waiter = self.producer, self.buffer, self._send_early, self._waker.waiter
        if send is None or waiter is None or waiter.done():
            return False
        producer.pull()
        if buffer.ended:
            return False
        try:
            batch = self._take()
        except (Interrupted, StreamTimeoutError):  # the task raises it
            return False
        self._has_unsent = batch is not None and not send(batch[0], waiter)
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
            self._send_early = self.producer.send_early = None  # they refer to each other
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
