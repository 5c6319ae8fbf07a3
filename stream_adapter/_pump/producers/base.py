"""The base class of producers, with the hot loop of sync sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import GeneratorType
from typing import Any, Protocol

from stream_adapter._pump.buffer import Buffer
from stream_adapter._pump.context import StepContext
from stream_adapter._pump.wakeups import Waker

__all__ = ["AnySource", "Encoder", "Pipe", "Polled", "Producer", "undecided"]


class Polled(Protocol):
    """The interface of a polled source. Methods are called on its loop, and return at once.

    Attributes:
        has_more: whether `poll` may return more without a change.
    """

    has_more: bool

    def begin(self, changed: Callable[[], None], start: Callable[[Any], asyncio.Task[Any]]) -> None:
        """Begin. `changed` is called on the loop where `poll` may return more; `start` runs a coroutine of a user's."""
        ...

    def poll(self) -> Sequence[object] | None:
        """Return the items that are ready; an empty sequence while there are not any, None at the end."""
        ...


class AnySource(Protocol):
    """A source, as the pump sees it."""

    def iterate(self) -> Iterator[object]: ...
    def aiterate(self) -> AsyncIterator[object]: ...
    def close(self, run: Callable[[Coroutine[Any, Any, Any]], object]) -> None: ...
    async def aclose(self) -> None: ...
    def open(self) -> Polled: ...
    def close_now(self) -> None: ...
    def close_failed(self, error: BaseException) -> None: ...
    def blocks(self, where: str) -> None: ...


class Encoder(Protocol):
    """A format, as the pump sees it: a table from types to functions, and the end of the stream."""

    @property
    def table(self) -> Mapping[type, Callable[[Any], bytes]]: ...
    def explain(self, error: BaseException, item: object) -> BaseException: ...
    def finish(self) -> bytes: ...


def undecided(_: Any) -> bytes:
    """Stand for the encode function of a hot loop until the first item says which it is."""
    raise NotImplementedError


@dataclass(slots=True, eq=False, repr=False)
class Pipe:
    """The connection of a source with a consumer.

    Args:
        source: the producer iterates and closes it.
        encoder: makes chunks of its items.
        buffer: the producer puts chunks into it, the consumer takes them.
        waker: the producer wakes the consumer with it.
        context: where the source's steps and its close run.
    """

    source: AnySource
    encoder: Encoder
    buffer: Buffer
    waker: Waker
    context: StepContext


class Producer:
    """The base class, and the interface that a consumer uses.

    Attributes:
        is_pulled: whether the consumer calls `pull` when the buffer is empty.
        is_polled: whether it also does so whenever it is woken.
        has_more: whether the next `pull` of a polled source may find something, without a change.
        stopping: whether the stream is over; the producer then closes the source.
    """

    is_pulled = False
    is_polled = False
    has_more = False
    __slots__ = ("_credit", "_left", "_taken", "buffer", "context", "encoder", "source", "stopping", "waker")

    def __init__(self, pipe: Pipe) -> None:
        self.source: AnySource = pipe.source
        self.encoder: Encoder = pipe.encoder
        self.buffer: Buffer = pipe.buffer
        self.waker: Waker = pipe.waker
        self.context: StepContext = pipe.context
        self.stopping: bool = False
        self._credit = self._left = 0  # bytes that `put` may append, and what is left of them
        self._taken = -1  # chunks that were taken when other tasks have run last: more, if it is as fast as the source

    def start(self) -> None:
        """Start to iterate the source."""

    def pull(self) -> bool:
        """Fill the empty buffer, if the consumer runs the source itself; return True then."""
        return False

    def ready(self) -> list[bytes]:
        """Return what a polled source has ready."""
        return []

    def resume(self) -> None:
        """Continue: the consumer has emptied the buffer."""

    def put(self, chunk: bytes) -> bool:
        """Append a chunk that the source sends rather than yields; return True if it must wait for room.

        The one way to push chunks. `wait_for_room` waits, in a task or in a thread as the source runs.
        """
        buffer, waker = self.buffer, self.waker
        buffer.items.append(chunk)
        left = self._left = self._left - (len(chunk) or buffer.empty_chunk())
        if waker.waiting:
            waker.wake()
        if left > 0:
            return False
        self._account()
        return not self._left or self._taken != buffer.taken_count

    def _account(self) -> None:
        """Account in the buffer for what was put."""
        self._credit = self._left = self.buffer.credit(self._credit - self._left)

    def stop(self) -> None:
        """Close the source once its step returns, then end the buffer. Its consumer has set `stopping`."""

    def _iterate_source(self) -> Iterator[object]:
        """Open a sync source for `_fill`, which asks for an iterator in each round: one of a user's may begin again."""
        iterator = self.source.iterate()
        return iterator if iterator.__class__ is GeneratorType else chain(iterator)

    def _fill(self, iterator: Iterator[object]) -> bool:
        """Iterate until the source must pause (False) or is exhausted (True). The hot loop of sync sources.

        The lines that encode are repeated in `TaskProducer._put_items` and `SyncBody._direct_blocks`: a call per item
        costs more than the encoding of a short one.
        """
        buffer, waker, table = self.buffer, self.waker, self.encoder.table
        items = buffer.items
        last: object = None  # the type of the last item: most streams have one type, and one function, throughout
        encode: Callable[[Any], bytes] = undecided
        credit = room = buffer.credit(0)
        while room:
            for item in iterator:
                if type(item) is not last:
                    last = type(item)
                    encode = table[type(item)]
                try:
                    chunk = encode(item)
                except Exception as error:  # noqa: BLE001  # it is raised, explained
                    problem = self.encoder.explain(error, item)
                    raise problem from problem.__cause__
                items.append(chunk)
                room -= len(chunk) or buffer.empty_chunk()
                if waker.waiting:
                    waker.wake()
                    if not self._may_go_on():
                        buffer.credit(credit - room)
                        return False
                if room <= 0:
                    break
            else:  # it is not asked again: some sources would block forever
                buffer.credit(credit - room)
                self._finish()
                return True
            credit = room = buffer.credit(credit - room)
        return False

    def _finish(self) -> None:
        if tail := self.encoder.finish():
            self.buffer.put_frame(tail)

    def _may_go_on(self) -> bool:
        return not self.stopping

    def _close_sync(self) -> None:
        try:
            self.source.close(asyncio.run)
        except BaseException as error:  # noqa: BLE001  # it is logged, and the stream has ended
            self.source.close_failed(error)
