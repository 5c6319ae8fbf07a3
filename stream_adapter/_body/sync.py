"""The body for a server side that blocks a thread.

Who owns what: the request's thread starts, iterates and closes the body. `end` is called in any thread, by a drain or
a disconnect: it sets the reason and the interruption, and aborts the connection if the server is sending a block. Only
the watcher's thread calls `look`. The source belongs to the request's thread, or to a producer's.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from stream_adapter._lifecycle import register, unregister
from stream_adapter._pump import (
    Deadlines,
    InlineProducer,
    Interrupted,
    Producer,
    SourceThread,
    SyncConsumer,
    TaskProducer,
    ThreadWaker,
    background_loop,
    current_loop,
    for_task,
    run,
    source_runs_in,
    undecided,
)
from stream_adapter._resolved import LARGE_BODY, Resolved
from stream_adapter._source import Kind
from stream_adapter._text import is_late
from stream_adapter.errors import ClientDisconnected, ContentLengthError, ShuttingDown, StreamAborted

from .base import raisable, result_of
from .hooks import NO_HOOKS, Hooks
from .watched import WatchedBody

__all__ = ["SyncBody"]

_END: Any = object()
_DELIVERY_GRACE = 1.0  # seconds that a client has to receive what was sent before its connection is reset


class SyncBody(WatchedBody):
    """A body for a server side that blocks. `start`, iteration and `close` belong to one thread.

    Attributes:
        marks_failure: whether a last block, which may be empty, comes before the connection is broken: for what holds
            blocks back.
    """

    __slots__ = ("_consumer", "_iterator", "_missing", "_ready", "marks_failure")

    def __init__(self, resolved: Resolved, hooks: Hooks = NO_HOOKS) -> None:
        super().__init__(resolved, hooks)
        self._client = None
        self._thread = None
        self._consumer: SyncConsumer | None = None
        self._iterator: Iterator[Any] | None = None
        self._generator: Generator[bytes] | None = None
        self._ready: list[bytes] = []
        self._end_unlogged = False
        self._missing = 0  # bytes of the Content-Length
        self.marks_failure: bool = False

    def start(self) -> None:
        """Pull the first item. If the client disconnects before it, the status is 499 and the body empty.

        Raises:
            Exception: what the source, or the encoding of its first item, raised; the source is closed.
        """
        if self._started:
            return
        self._started = True
        if self.is_streaming:
            register(self)
            if self._hooks.connection is not None:
                self.watch()
        try:
            self._ready = self._open()
            if self._only_begins:
                self._respond_without_body()
                self.close()
            if self._complete_body is not None and len(self._complete_body) > LARGE_BODY:
                self.watch()
        except (ClientDisconnected, StreamAborted) as error:
            self._note(error)
            self.close()
            if self._reason == "shutdown":
                raise ShuttingDown from None
            if self._reason != "disconnect":
                raise
            self._respond_without_client()
        except BaseException as error:
            self._note(error)
            self.close()
            raise

    def _open(self) -> list[bytes]:
        """Choose how the source is iterated, by its kind and the limits; return the first blocks."""
        while self._source.kind is Kind.AWAITABLE and self._complete_body is None:
            self._use_result(run(result_of(self._source.content), for_task(self._context)))
        if self._complete_body is not None:
            return [self._commit()]
        if self._source.is_opened_first and not self._context.run(self._source.content.open):
            self._respond_without_content()
            return [b""]
        kind, limits = self._source.kind, self._flow.limits
        timed = (limits.idle_timeout, limits.total_timeout, self._flow.commit_after) != (None, None, None)
        apart = timed or self._flow.encoder.format.keepalive is not None or self._hooks.submit is not None
        if kind is Kind.ASYNC or (kind in {Kind.SYNC, Kind.EITHER} and apart):
            return self._cross(kind)
        if self._flow.flush == "bulk" or timed:
            waker = ThreadWaker()
            self._run_source_here()
            return self._consume(InlineProducer(self._pipe(waker)), waker)
        return self._open_directly()

    def _cross(self, kind: Kind) -> list[bytes]:
        if self._hooks.for_thread is not None:
            self._hooks = replace(self._hooks.for_thread(), connection=self._hooks.connection)
            self._source.on_open = self._hooks.on_open
        waker = ThreadWaker()
        if kind is not Kind.ASYNC:
            return self._consume(self._thread_producer(self._pipe(waker)), waker)
        loop = background_loop()
        return self._consume(
            TaskProducer(self._pipe(waker), loop=loop, threadsafe=True, async_context=self._hooks.async_context),
            waker,
        )

    def _consume(self, producer: Producer, waker: ThreadWaker) -> list[bytes]:
        self._producer = producer
        deadlines = Deadlines(self._flow.limits, time.monotonic())
        consumer = self._consumer = SyncConsumer(
            producer, waker, deadlines, self.interruption, one_by_one=self._one_by_one
        )
        if self._hooks.connection is not None:
            self._hooks.connection.on_disconnect(partial(self.interruption.set, "disconnect"))
        producer.start()
        commit_after, batch = self._flow.commit_after, list[bytes]()
        if commit_after is not None:
            consumer.wait_ready(commit_after)
        if commit_after is None or consumer.is_ready():
            batch = self._next_batch(consumer)
            if not batch:
                self._raise_source_error()
        self._note_first()
        prefix = self._commit()
        consumer.commit(*self._keepalive())
        return [prefix, *batch] if prefix else batch

    def _next_batch(self, consumer: SyncConsumer) -> list[bytes]:
        try:
            return consumer.next()
        except Interrupted:
            raise self._interrupted() from None

    def _run_source_here(self) -> None:
        self._thread = SourceThread(lambda: None if self._reason is None else self.ending())
        self._context.run(source_runs_in, self._thread)

    def _open_directly(self) -> list[bytes]:
        self._run_source_here()
        self._iterator = self._context.run(self._source.iterate)
        try:
            item = self._context.run(next, self._iterator, _END)
        except (asyncio.CancelledError, GeneratorExit) as error:  # of the source's own
            raise raisable(error) from error
        if item is _END:
            return [part for part in (self._commit(), self._flow.encoder.finish()) if part]
        chunk = self._within(item.__class__, self._flow.encoder.encode_first)(item)
        self._buffer.taken_count, self._first_at = 1, time.monotonic()
        prefix = self._commit()
        return [prefix, chunk] if prefix else [chunk]

    def _within(self, cls: type, encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        """Encode lazily translated text in the stream's context, where its language is set."""
        run_within = self._context.run
        return (lambda item: run_within(encode, item)) if is_late(cls) else encode

    def call_soon(self, job: Callable[[], object]) -> None:
        """Run a job in the body's own thread, when that waits for the source."""
        if self._consumer is not None:
            self._consumer.call_soon(job)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, in blocks."""
        self.start()
        if self._closed and self._complete_body == b"":
            return iter(())
        self._generator = self._taken_blocks() if self._iterator is None else self._direct_blocks(self._iterator)
        if self.length is None or not self.is_streaming:
            return self._generator
        return self._up_to(self.length, self._generator)

    def _up_to(self, length: int, blocks: Generator[bytes]) -> Iterator[bytes]:
        """Send no more than the Content-Length; the stream fails if it is longer, or ends too early."""
        self._missing = length
        for block in blocks:
            if len(block) > self._missing:
                sent = length - self._missing + len(block)
                blocks.throw(ContentLengthError(length, sent, complete=False))
            self._missing -= len(block)
            yield block

    def _check_complete(self) -> None:
        if self._missing:
            length = self.length or 0
            raise ContentLengthError(length, length - self._missing, complete=True)

    def _direct_blocks(self, iterator: Iterator[object]) -> Generator[bytes]:  # noqa: C901, PLR0912  # a hot loop
        """Send each chunk before the source is asked for the next: no buffer, no other thread."""
        step, advance, table = self._context.run, iterator.__next__, self._flow.encoder.table
        count, sent = self._buffer.count, 0
        last: object = None  # the type of the last item: most streams have one type, and one function, throughout
        encode: Callable[[Any], bytes] = undecided
        try:
            for block in self._blocks(self._ready):
                sent += len(block)
                yield block
            while count:
                try:
                    item = step(advance)
                except StopIteration:
                    break
                except (asyncio.CancelledError, GeneratorExit) as error:  # of the source's own
                    raise raisable(error) from error
                if type(item) is not last:
                    last = type(item)
                    encode = self._within(type(item), table[type(item)])
                try:
                    chunk = encode(item)
                except Exception as error:  # noqa: BLE001  # it is raised, explained
                    problem = self._flow.encoder.explain(error, item, count)
                    raise problem from problem.__cause__
                if self._reason is not None:
                    raise self.ending()  # noqa: TRY301  # every failure of a stream is handled below
                count += 1
                sent += len(chunk)
                yield chunk
            if count and (tail := self._flow.encoder.finish()):
                sent += len(tail)
                yield tail
            self._check_complete()
            self._close_source()
            self._done = True
        except GeneratorExit:
            raise
        except BaseException as error:
            self._buffer.taken_count, self._bytes = count, sent
            if (record := self._fail(error)) or self.marks_failure:
                sent += len(record)
                yield record
            self._abort(_DELIVERY_GRACE)
            if not self._needs_no_error(error):
                raise
        finally:
            self._buffer.taken_count, self._bytes = count, sent
            self._end_of_iteration()

    def _taken_blocks(self) -> Generator[bytes]:
        """Send what the producer has ready."""
        consumer, batch = self._consumer, self._ready
        try:
            while True:
                for block in self._blocks(batch):
                    self._bytes += len(block)
                    yield block
                if consumer is None or not (batch := self._next_batch(consumer)):
                    break
            self._raise_source_error()
            self._check_complete()
            self._done = True
        except GeneratorExit:
            raise
        except BaseException as error:
            if (record := self._fail(error)) or self.marks_failure:
                self._bytes += len(record)
                yield record
            self._abort(_DELIVERY_GRACE)
            if not self._needs_no_error(error):
                raise
        finally:
            self._end_of_iteration()

    def _end_of_iteration(self) -> None:
        """Close the body after its last block: after an RST Werkzeug does not close it."""
        self._generator = None
        self.close()

    def _blocks(self, batch: list[bytes]) -> Iterable[bytes]:
        """Join the blocks, unless `flush` is "item"."""
        return batch if self._one_by_one or len(batch) < 2 else (b"".join(batch),)

    def close(self) -> None:
        """Close the source, in the thread or task that iterated it, and report. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        if self._generator is not None:
            self._generator.close()  # it counts to its end
        try:
            if self._consumer is None:
                self._close_source()
            else:
                self._consumer.stop()
                if not self._is_on_sources_loop and not self._consumer.wait_ended(self._flow.limits.close_timeout):
                    self._warn_stuck()
        finally:
            if self._thread is not None:
                self._thread = None
                with suppress(RuntimeError):  # a step runs in it still
                    self._context.run(source_runs_in, None)
            self._give_back_connection()
            if self._end_unlogged:
                self._log_end()
            if self._flow.on_close is not None:
                self._finish_report(self._report())
            unregister(self)  # after the report: after a drain the process may end

    @property
    def _is_on_sources_loop(self) -> bool:
        """Whether this is the source's own loop, as where garbage is collected: to wait for it would block it."""
        return isinstance(self._producer, TaskProducer) and current_loop() is self._producer.loop

    def _finish_report(self, report: object) -> None:
        if not inspect.iscoroutine(report):
            return
        try:
            run(report)
        except Exception as error:  # noqa: BLE001  # the caller's code; the stream is over
            self._log_report_failure(error)

    def _close_source(self) -> None:
        try:
            self._context.run(self._source.close, run)
        except Exception as error:  # noqa: BLE001  # the response is not to blame
            self.log_close_failure(error)
