"""The body for a server side that runs on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from enum import Enum, auto
from functools import partial
from typing import Any, Final, TypeVar

from stream_adapter._lifecycle import register, unregister
from stream_adapter._pump import (
    AsyncConsumer,
    Deadlines,
    InlineProducer,
    Interrupted,
    LoopWaker,
    PolledProducer,
    Producer,
    SendEarly,
    TaskProducer,
    for_task,
    running_loop,
)
from stream_adapter._resolved import Resolved
from stream_adapter._source import Kind
from stream_adapter.errors import ContentLengthError
from stream_adapter.types import Reason

from .base import Body, raisable, result_of
from .hooks import NO_HOOKS, Hooks

__all__ = ["WAIT", "AsyncBody", "Wait"]

T = TypeVar("T")


class Wait(Enum):
    """What `AsyncBody.take` returns in place of a block."""

    FOR_A_BLOCK = auto()


WAIT: Final = Wait.FOR_A_BLOCK


class AsyncBody(Body):
    """A body for a server side that runs on an event loop. `start`, iteration and `aclose` belong to one loop.

    Attributes:
        begun: whether the head was sent, after which a refusal is a failure like any other. `deliver` sets it.
    """

    __slots__ = ("_consumer", "_gives_way", "_holds_log", "_loop", "_pending", "_unlogged", "begun")

    def __init__(self, resolved: Resolved, hooks: Hooks = NO_HOOKS) -> None:
        super().__init__(resolved, hooks)
        self._consumer: AsyncConsumer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.begun: bool = False
        self._pending: list[bytes] = []  # no deque: an empty one is 700 bytes, and two thousand streams are silent
        self._gives_way = False  # other tasks run before the next of `_pending`, however many are ready
        self._holds_log = False
        self._unlogged: Callable[[], None] | None = None

    async def start(self) -> None:
        """Pull the first item.

        Raises:
            Exception: what the source, or the encoding of its first item, raised; the source is closed.
        """
        if self._started:
            return
        self._started = True
        self._loop = running_loop()
        if self.is_streaming:
            register(self)
        try:
            self._pending = await self._open()
            if self._only_begins:
                self._respond_without_body()
                await self.aclose()
                self._consumer, self._pending = None, []
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):  # the server's own: the client has disconnected
                self._note(error)
            await self.aclose()
            raise

    async def _open(self) -> list[bytes]:
        while self._source.kind is Kind.AWAITABLE and self._complete_body is None:
            self._use_result(await self._in_context(result_of(self._source.content)))
        if self._complete_body is not None:
            return [self._commit()]
        if self._source.is_opened_first and not await self._in_context(self._source.content.aopen()):
            self._respond_without_content()
            return [b""]
        self._producer, waker = self._make_producer(self._loop or running_loop())
        if self._hooks.prefetch is not None:
            self._buffer.max_items = self._hooks.prefetch
        now = time.monotonic()
        self._producer.start()
        if self._is_complete:
            batch = [self._buffer.take_joined()]
        else:
            self._consumer = AsyncConsumer(
                self._producer,
                waker,
                Deadlines(self._flow.limits, now),
                self.interruption,
                one_by_one=self._one_by_one,
            )
            batch = await self._first_batch(self._consumer)
        self._note_first()
        prefix = self._commit()
        if self._consumer is not None:
            self._consumer.commit(*self._keepalive())
        return [prefix, *batch] if prefix else batch

    @property
    def _is_complete(self) -> bool:
        """Whether the source has ended well in its first step: what is in the buffer is one block, and the last."""
        buffer = self._buffer
        return buffer.ended and buffer.error is None and bool(buffer.items) and not self._one_by_one

    def _make_producer(self, loop: asyncio.AbstractEventLoop) -> tuple[Producer, LoopWaker]:
        """Return what fills the buffer, and the waker of its consumer."""
        kind = self._source.kind
        waker = LoopWaker(threadsafe=kind is Kind.SYNC, loop=loop)
        pipe = self._pipe(waker)
        if kind in {Kind.ONE, Kind.ITEMS}:
            return InlineProducer(pipe), waker
        if kind is Kind.SYNC:
            return self._thread_producer(pipe), waker
        if self._source.is_polled:
            return PolledProducer(pipe), waker
        return TaskProducer(pipe, loop=loop, threadsafe=False, async_context=None), waker

    async def _first_batch(self, consumer: AsyncConsumer) -> list[bytes]:
        """Wait for the first item, for at most `commit_after` seconds; return what is ready."""
        commit_after = self._flow.commit_after
        if self._hooks.prefetch is not None:
            await self._wait_first(consumer, commit_after)
            return []
        if commit_after is not None:
            await consumer.wait_ready(commit_after)
            if not consumer.is_ready():
                return []
        return await self._next_batch(consumer)

    async def _wait_first(self, consumer: AsyncConsumer, commit_after: float | None) -> None:
        """Wait for the first item and leave it in the buffer: taking it would ask the source for the next one."""
        left = consumer.deadlines.time_left(time.monotonic())
        times = [seconds for seconds in (commit_after, left) if seconds is not None]
        await consumer.wait_ready(min(times, default=None))
        if not consumer.is_ready():
            consumer.deadlines.check(time.monotonic())
        if not self._buffer.items:
            self._raise_source_error()

    async def _next_batch(self, consumer: AsyncConsumer) -> list[bytes]:
        try:
            batch = await consumer.next()
        except Interrupted:
            raise self._interrupted() from None
        if not batch:
            self._raise_source_error()
        return batch

    async def _in_context(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await asyncio.get_running_loop().create_task(coroutine, context=for_task(self._context))

    async def next(self) -> bytes | None:
        """Return the next block; None at the end."""
        if not self._started:
            await self.start()
        while (block := self.take()) is WAIT:
            await self.wait()
        return block

    def take(self) -> bytes | Wait | None:
        """Return what `next` would return after the start, without a wait; WAIT if `wait` must be awaited before."""
        if self._error is not None:
            raise raisable(self._error)
        if self._gives_way:
            self._gives_way = False
            return WAIT
        consumer, pending = self._consumer, self._pending
        if self._complete_body is None:
            try:
                if consumer is not None and not pending:
                    self._buffer.max_items = self._flow.limits.max_items  # the prefetch limit is over
                    batch = consumer.take()
                    if batch is None:
                        return WAIT
                    pending = self._pending = batch
                    if not pending:
                        self._raise_source_error()
                if self.length is not None:
                    self._check_length(self.length, pending)
            except BaseException as error:  # noqa: BLE001  # raised now, or by the next call
                return self._last_record(error)
        if not pending:
            self._done = True
            return None
        block = self._next_block(pending)
        self._gives_way = bool(pending)
        return block

    def wait(self) -> Awaitable[None]:
        """Return what to await until there may be a block. No coroutine: thousands of silent streams stand here."""
        consumer = self._consumer
        return asyncio.sleep(0) if self._pending or consumer is None else consumer.wait()

    @property
    def can_send_early(self) -> bool:
        """Whether what comes while `next` waits can be sent by `send_early`; final after start."""
        consumer = self._consumer
        return consumer is not None and self.length is None and consumer.can_send_early

    def send_early(self, send: SendEarly) -> None:
        """Send what comes while `next` waits by this, and count it. `next` returns b"" to have it finished."""
        if self._consumer is not None:
            self._consumer.send_early(send)

    def count(self, block: bytes) -> None:
        """Count a block that is sent early."""
        self._bytes += len(block)

    @property
    def bytes_sent(self) -> int:
        """Bytes of the blocks that were taken, or sent early."""
        return self._bytes

    def _last_record(self, raised: BaseException) -> bytes:
        """Return what a stream that failed sends last; the next call raises.

        Raises:
            Exception: what ended the stream, if it sends nothing.
        """
        error = self._interrupted() if isinstance(raised, Interrupted) else raised
        try:
            record = self._fail(error)
            if record:
                self._bytes += len(record)
                return record
            if error is raised:
                raise error
            raise error from None
        finally:
            del error, raised  # their tracebacks have this frame

    def _next_block(self, pending: list[bytes]) -> bytes:
        if self._one_by_one or len(pending) == 1:
            block = pending.pop(0)
        else:
            block = b"".join(pending)
            pending.clear()
        self._bytes += len(block)
        self._done = not self.is_streaming  # a whole body is one block
        return block

    def _check_length(self, length: int, pending: list[bytes]) -> None:
        """Raise if the body is longer than its Content-Length, or ends before that."""
        total = self._bytes + sum(map(len, pending))
        if total > length or (total < length and not pending):
            raise ContentLengthError(length, total, complete=not pending)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Yield the body, in blocks, and close it at the end of the iteration, however it ends."""
        try:
            while (block := await self.next()) is not None:
                yield block
        finally:
            await self.aclose()

    def end(self, reason: Reason) -> None:
        """End the stream with this reason, from any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and every task of it has ended
                loop.call_soon_threadsafe(self.interrupt, reason)

    def interrupt(self, reason: Reason) -> None:
        """End the stream with this reason; from within its loop."""
        if self._reason is None and not (self._done and reason == "disconnect"):  # a client may leave after the end
            self._end_for(reason)
        self.interruption.set(reason)

    def hold_log(self) -> None:
        """Let the caller decide when a failure is logged, by `log_failure`."""
        self._holds_log = True

    def log_failure(self) -> None:
        """Log the failure that was held, if there was one. Does nothing the second time."""
        log, self._unlogged = self._unlogged, None
        if log is not None:
            log()

    def _log_failure(self, error: BaseException, progress: tuple[int, int]) -> None:
        log = partial(super()._log_failure, error, progress)
        if self._holds_log:
            self._unlogged = log
        else:
            log()

    async def aclose(self) -> None:
        """Close the source, in the task or thread that iterated it, and report. Does nothing the second time.

        A cancellation is raised after the source is closed, or `close_timeout` has passed.
        """
        if self._closed:
            return
        self._closed = True
        consumer = self._consumer
        if self._producer is not None and self._hooks.on_stopping is not None:
            self._hooks.on_stopping()
        if consumer is not None:
            consumer.stop()
        # an awaited value that cannot be sent was registered as a stream
        is_closed = self._buffer.ended or self._source.kind is Kind.ONE
        if is_closed and self._flow.on_close is None:
            unregister(self)
            return
        # once there is a producer the source's thread may be in the stream's context, which cannot be entered twice
        context = for_task(self._context) if self._producer is None else None
        loop = self._loop or running_loop()
        closing = loop.create_task(self._finish(consumer), context=context)
        cancelled: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def aclose_unstarted(self) -> None:
        """Close the source of a body that was never started, in the task that runs, which nothing cancels."""
        self._closed = True
        await self._finish(None)

    async def _finish(self, consumer: AsyncConsumer | None) -> None:
        try:
            if consumer is None:
                await self._source.aclose()
            elif not await consumer.wait_ended(self._flow.limits.close_timeout):
                self._warn_stuck()
        except Exception as error:  # noqa: BLE001  # the response is not to blame
            self.log_close_failure(error)
        try:
            report = self._report()
            if inspect.isawaitable(report):
                await report
        except Exception as error:  # noqa: BLE001  # the caller's code; the stream is over
            self._log_report_failure(error)
        finally:
            unregister(self)  # only now: after a drain the process may end
