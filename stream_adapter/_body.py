"""A resolved response, opened. It pulls, reports and closes: one life in two forms, sync and async.

    start()   the first item is pulled and encoded; its error is the caller's to answer, nothing was sent
    iterate   blocks of bytes, in order; an error after commit is logged, told in-band where the format can, and raised
    close()   the source is closed, once, wherever it stands; on_close is told why it ended

After start() `status` and `headers` are final. Whoever made the body must close it, started or not.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ._headers import set_default
from ._limits import StreamSummary
from ._pump import (
    AsyncConsumer,
    Clock,
    InlineProducer,
    Interrupted,
    LoopBell,
    Producer,
    SyncConsumer,
    TaskProducer,
    ThreadBell,
    ThreadProducer,
    Window,
    background_loop,
    lease,
    run,
)
from ._resolved import Resolved, whole_body
from ._source import Kind, Source
from ._types import Reason
from .errors import StreamTimeoutError

__all__ = ["AsyncBody", "ClientDisconnected", "Host", "SyncBody"]

logger = logging.getLogger("stream_adapter")

_SLICE = 0.002  # seconds one job may keep a thread that is the framework's, while other work waits for it
_END: Any = object()

T = TypeVar("T")


class StreamAborted(ConnectionAbortedError):  # noqa: N818  # no error of anybody  # no error of anybody
    """The stream was told to end: its connection must break, for a polite end would say that it is complete."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(errno.ECONNABORTED, f"the stream was ended: {reason}")


class ClientDisconnected(ConnectionResetError):  # noqa: N818  # no error of anybody  # no error of anybody
    """The client has gone. Servers know this errno, and log nothing."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client disconnected")


@dataclass(frozen=True, slots=True)
class Host:
    """What a framework brings to the streams it hosts.

    Args:
        submit: under an async edge: runs a job in the thread that the framework keeps for the request, one at a time
            and in order. None: each sync source has a thread of the pool's.
        thread_exit: called in a pool's thread when the source that had it is closed.
        around: held around an async source that runs on the background loop, in the source's task.
        gone: under a sync edge: says whether the client is, where the server shows its socket.
    """

    submit: Callable[[Callable[[], object]], object] | None = None
    thread_exit: Callable[[], object] | None = None
    around: Callable[[], AbstractAsyncContextManager[object]] | None = None
    gone: Callable[[], bool] | None = None


_NO_HOST = Host()


class _Body:
    """What the two forms share: all but how they wait."""

    def __init__(self, resolved: Resolved, host: Host = _NO_HOST) -> None:
        flow = resolved.flow
        self.status: int = resolved.status
        self.headers: list[tuple[str, str]] = resolved.headers
        self._flow = flow
        self._source = resolved.source
        self._whole = resolved.body
        self._host = host
        self._context = copy_context()
        self._window = Window(flow.limits.high_water, flow.limits.max_items)
        self._started_at = time.monotonic()
        self._first_at: float | None = None
        self._bytes = 0
        self._started = self._done = self._closed = False
        self._reason: Reason | None = None
        self._error: BaseException | None = None

    @property
    def waits(self) -> bool:
        """Whether there is a source to wait for; False if the whole body is known."""
        return self._whole is None

    @property
    def send_timeout(self) -> float | None:
        """Seconds that the client may take nothing."""
        return self._flow.limits.send_timeout

    def _commit(self) -> bytes:
        """Make the headers final and return what the format begins with."""
        if self._window.count:
            self._first_at = time.monotonic()
        format = self._flow.encoder.settle()
        if self._flow.headers_of is not None:
            self.headers = self._flow.headers_of(format)
        if self._whole is None:
            return format.prefix
        if self._whole:
            set_default(self.headers, "Content-Length", str(len(self._whole)))
        return self._whole

    def _settle_for(self, content: object) -> None:
        """Go on with what an awaitable turned out to be."""
        self._source = Source(content)
        self._whole = whole_body(self._source, self._flow.encoder)

    def _keepalive(self) -> tuple[float | None, bytes]:
        format = self._flow.encoder.format
        return format.keepalive, format.keepalive_frame

    def _raise_unless(self, batch: list[bytes]) -> None:
        """Raise what ended the source, if there is nothing left to send before that."""
        if not batch and self._window.error is not None:
            raise _raisable(self._window.error)

    def _leased_thread(self, *owned: Any) -> ThreadProducer:
        if self._host.submit is not None:
            return ThreadProducer(*owned, submit=self._host.submit, release=_nothing, slice_seconds=_SLICE)
        worker = lease()
        release = partial(_leave, self._host.thread_exit, worker.release)
        return ThreadProducer(*owned, submit=worker.submit, release=release, slice_seconds=None)

    def _interrupted(self, interruption: Interrupted) -> ConnectionError:
        reason = self._reason = interruption.reason
        return ClientDisconnected() if reason == "disconnect" else StreamAborted(reason)

    def _note(self, error: BaseException) -> None:
        """Note what ended the stream, unless it was told to end."""
        if self._reason is None:
            self._error = error
            self._reason = error.reason if isinstance(error, StreamTimeoutError) else "error"

    def _fail(self, error: BaseException) -> bytes:
        """Note and log what ended a stream after commit; return what tells the client, or nothing."""
        if self._reason is not None:  # it was told to end: nobody failed
            return b""
        self._note(error)
        logger.error("a stream failed after it had begun; the connection is broken", exc_info=error)
        try:
            record = None if self._flow.on_error is None else self._flow.on_error(error)
            if record is not None:
                return self._flow.encoder.table[type(record)](record)
        except Exception:
            logger.exception("on_error failed")
        return self._flow.encoder.format.error_record() or b""

    def _summary(self) -> StreamSummary:
        now = time.monotonic()
        reason = self._reason or ("done" if self._done else "disconnect" if self._started else "not_started")
        return StreamSummary(
            reason=reason,
            error=self._error,
            chunks=self._window.count,
            bytes_sent=self._bytes,
            time_to_first_chunk=None if self._first_at is None else self._first_at - self._started_at,
            duration=now - self._started_at,
        )

    def _report(self) -> Any:
        if self._flow.on_close is None:
            return None
        try:
            return self._flow.on_close(self._summary())
        except Exception:
            logger.exception("on_close failed")
            return None

    def _warn_stuck(self) -> None:
        logger.warning("a source did not close within %s s and is left to itself", self._flow.limits.close_timeout)


def _nothing() -> None:
    pass


def _leave(thread_exit: Callable[[], object] | None, release: Callable[[], object]) -> None:
    try:
        if thread_exit is not None:
            thread_exit()
    except Exception:
        logger.exception("a framework failed to leave the thread of a source")
    finally:
        release()


def _raisable(error: BaseException) -> BaseException:
    """Return what may be raised in the server's task: a source's own cancellation must not pass for the server's."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        wrapped = RuntimeError(f"the source raised {type(error).__name__}")
        wrapped.__cause__ = error
        return wrapped
    return error


class SyncBody(_Body):
    """A body for an edge that blocks. `start`, iteration and `close` belong to one thread."""

    _consumer: SyncConsumer | None = None
    _iterator: Iterator[Any] | None = None
    _first: Sequence[bytes] = ()

    def start(self) -> None:
        """Pull the first item.

        Raises:
            Exception: what the source, or the encoding of its first item, raised; the source is closed.
        """
        if self._started:
            return
        self._started = True
        try:
            self._first = self._open()
        except BaseException as error:
            self._note(error)
            self.close()
            raise

    def _open(self) -> list[bytes]:
        while self._source.kind is Kind.AWAITABLE and self._whole is None:
            self._settle_for(run(_result(self._source.content), self._context))
        if self._whole is not None:
            return [self._commit()]
        kind, limits = self._source.kind, self._flow.limits
        timed = (limits.idle_timeout, limits.total_timeout, self._flow.commit_after) != (None, None, None)
        if kind is Kind.ASYNC or (kind in {Kind.SYNC, Kind.EITHER} and (timed or self._flow.keeps_alive)):
            return self._cross(kind)
        if self._flow.flush == "bulk" or timed:
            bell = ThreadBell()
            return self._consume(InlineProducer(*self._owned(bell)), bell)
        return self._open_directly()

    def _owned(self, bell: ThreadBell) -> tuple[Any, ...]:
        return self._source, self._flow.encoder, self._window, bell, self._context

    def _cross(self, kind: Kind) -> list[bytes]:
        bell = ThreadBell()
        if kind is not Kind.ASYNC:
            return self._consume(self._leased_thread(*self._owned(bell)), bell)
        loop = background_loop()
        return self._consume(TaskProducer(*self._owned(bell), loop=loop, crossing=True, around=self._host.around), bell)

    def _consume(self, producer: Producer, bell: ThreadBell) -> list[bytes]:
        clock = Clock(self._flow.limits, time.monotonic())
        consumer = self._consumer = SyncConsumer(producer, bell, clock, self._host.gone)
        producer.start()
        commit_after, batch = self._flow.commit_after, list[bytes]()
        if commit_after is not None:
            consumer.wait_ready(commit_after)
        if commit_after is None or consumer.ready():
            batch = self._next_batch(consumer)
            self._raise_unless(batch)
        prefix = self._commit()
        consumer.commit(*self._keepalive())
        return [prefix, *batch] if prefix else batch

    def _next_batch(self, consumer: SyncConsumer) -> list[bytes]:
        try:
            return consumer.next()
        except Interrupted as interruption:
            raise self._interrupted(interruption) from None

    def _open_directly(self) -> list[bytes]:
        self._iterator = self._context.run(self._source.iterate)
        item = self._context.run(next, self._iterator, _END)
        if item is _END:
            return [self._commit() + self._flow.encoder.finish()]
        chunk = self._encode(item)
        self._window.count = 1
        return [self._commit() + chunk]

    def _encode(self, item: object) -> bytes:
        encoder = self._flow.encoder
        try:
            return encoder.table[type(item)](item)
        except Exception as error:
            raise encoder.explain(error, item, self._window.count) from error

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, in blocks."""
        self.start()
        return self._blocks()

    def _blocks(self) -> Iterator[bytes]:
        try:
            if self._iterator is not None:
                yield from self._direct_blocks(self._iterator)
            else:
                yield from self._taken_blocks()
            self._done = True
        except GeneratorExit:
            raise
        except BaseException as error:
            if record := self._fail(error):
                self._bytes += len(record)
                yield record
            raise

    def _direct_blocks(self, iterator: Iterator[Any]) -> Iterator[bytes]:
        """Send each chunk before the source is asked for the next: no window, no other thread."""
        step, advance, table = self._context.run, iterator.__next__, self._flow.encoder.table
        count, first = self._window.count, b"".join(self._first)
        sent = len(first)
        try:
            if first or count:
                yield first
            if not count:
                self._close_source()
                return
            while True:
                try:
                    item = step(advance)
                except StopIteration:
                    break
                try:
                    chunk = table[type(item)](item)
                except Exception as error:  # whatever a codec raises is about this item
                    raise self._flow.encoder.explain(error, item, count) from error
                count += 1
                sent += len(chunk)
                yield chunk
            if tail := self._flow.encoder.finish():
                sent += len(tail)
                yield tail
            self._close_source()
        finally:
            self._window.count, self._bytes = count, sent

    def _taken_blocks(self) -> Iterator[bytes]:
        """Send what the producer has ready."""
        yield from self._counted(self._first)
        if self._consumer is None:
            return
        while batch := self._next_batch(self._consumer):
            yield from self._counted(batch)
        self._raise_unless([])

    def _counted(self, batch: Sequence[bytes]) -> Iterator[bytes]:
        one_by_one = self._flow.flush == "item" or not batch
        for block in batch if one_by_one else (b"".join(batch),):
            self._bytes += len(block)
            yield block

    def close(self) -> None:
        """Close the source, in the thread or task that iterated it, and report. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._consumer is None:
                self._close_source()
            else:
                self._consumer.producer.stop()
                if not self._consumer.wait_ended(self._flow.limits.close_timeout):
                    self._warn_stuck()
        finally:
            report = self._report()
            if inspect.iscoroutine(report):
                run(report)

    def _close_source(self) -> None:
        try:
            self._context.run(self._source.close, run)
        except Exception:
            logger.exception("the source of a stream failed to close")


class AsyncBody(_Body):
    """A body for an edge that runs on an event loop. `start`, iteration and `aclose` belong to one loop."""

    _consumer: AsyncConsumer | None = None
    _pending: list[bytes]

    async def start(self) -> None:
        """Pull the first item.

        Raises:
            Exception: what the source, or the encoding of its first item, raised; the source is closed.
        """
        if self._started:
            return
        self._started = True
        try:
            self._pending = await self._open()
        except BaseException as error:
            self._note(error)
            await self.aclose()
            raise

    async def _open(self) -> list[bytes]:
        while self._source.kind is Kind.AWAITABLE and self._whole is None:
            self._settle_for(await self._in_context(_result(self._source.content)))
        if self._whole is not None:
            return [self._commit()]
        kind = self._source.kind
        bell = LoopBell(crossing=kind is Kind.SYNC)
        owned = (self._source, self._flow.encoder, self._window, bell, self._context)
        if kind in {Kind.ONE, Kind.ITEMS}:
            producer: Producer = InlineProducer(*owned)
        elif kind is Kind.SYNC:
            producer = self._leased_thread(*owned)
        else:
            producer = TaskProducer(*owned, loop=asyncio.get_running_loop(), crossing=False, around=None)
        clock = Clock(self._flow.limits, time.monotonic())
        consumer = self._consumer = AsyncConsumer(producer, bell, clock)
        producer.start()
        commit_after, batch = self._flow.commit_after, list[bytes]()
        if commit_after is not None:
            await consumer.wait_ready(commit_after)
        if commit_after is None or consumer.ready():
            batch = await self._next_batch(consumer)
            self._raise_unless(batch)
        prefix = self._commit()
        consumer.commit(*self._keepalive())
        return [prefix, *batch] if prefix else batch

    async def _next_batch(self, consumer: AsyncConsumer) -> list[bytes]:
        try:
            return await consumer.next()
        except Interrupted as interruption:
            raise self._interrupted(interruption) from None

    async def _in_context(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await asyncio.get_running_loop().create_task(coroutine, context=self._context)

    async def next(self) -> bytes | None:
        """Return the next block; None at the end."""
        if self._error is not None:
            raise _raisable(self._error)
        await self.start()
        try:
            batch = await self._next_blocks()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if record := self._fail(error):
                self._bytes += len(record)
                return record  # and the next call raises
            raise
        if not batch:
            self._done = True
            return None
        if self._flow.flush == "item":
            block, self._pending = batch[0], batch[1:]
        else:
            block = batch[0] if len(batch) == 1 else b"".join(batch)
        self._bytes += len(block)
        return block

    async def _next_blocks(self) -> list[bytes]:
        batch, self._pending = self._pending, []
        if batch or self._consumer is None:
            return batch
        batch = await self._next_batch(self._consumer)
        self._raise_unless(batch)
        return batch

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Yield the body, in blocks, and close it at the end of the iteration, however it ends."""
        try:
            while (block := await self.next()) is not None:
                yield block
        finally:
            await self.aclose()

    def interrupt(self, reason: Reason) -> None:
        """End the stream with this reason; from within its loop."""
        if self._reason is None:
            self._reason = reason
        if self._consumer is not None:
            self._consumer.interrupt(reason)

    async def aclose(self) -> None:
        """Close the source, in the task or thread that iterated it, and report. Does nothing the second time.

        A cancellation meanwhile is kept until the source is closed, or `close_timeout` has passed.
        """
        if self._closed:
            return
        self._closed = True
        consumer = self._consumer
        if consumer is not None:
            consumer.producer.stop()
            if self._window.ended and self._flow.on_close is None:
                return
        elif self._source.kind is Kind.ONE and self._flow.on_close is None:
            return
        closing = asyncio.get_running_loop().create_task(self._finish(consumer), context=self._context)
        cancelled: asyncio.CancelledError | None = None
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _finish(self, consumer: AsyncConsumer | None) -> None:
        try:
            if consumer is None:
                await self._source.aclose()
            elif not await consumer.wait_ended(self._flow.limits.close_timeout):
                self._warn_stuck()
        except Exception:
            logger.exception("the source of a stream failed to close")
        report = self._report()
        if inspect.isawaitable(report):
            try:
                await report
            except Exception:
                logger.exception("on_close failed")


async def _result(awaitable: Awaitable[T]) -> T:
    return await awaitable
