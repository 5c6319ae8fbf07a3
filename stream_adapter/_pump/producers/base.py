"""What every producer is, and the hot loop of sync sources."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextvars import Context, ContextVar, copy_context
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from stream_adapter._pump.buffer import Buffer
from stream_adapter._pump.wakeups import Waker

__all__ = ["AnySource", "Encoder", "Producer", "StepContext", "for_task", "undecided"]

T = TypeVar("T")


class _End:
    """What follows the last item: a source is not asked again after its end, for some would then wait for ever."""


_END = _End()


class AnySource(Protocol):
    """What the pump asks of a source."""

    def iterate(self) -> Iterator[object]: ...
    def aiterate(self) -> AsyncIterator[object]: ...
    def close(self, run: Callable[[Coroutine[Any, Any, Any]], object]) -> None: ...
    async def aclose(self) -> None: ...
    def close_failed(self, error: BaseException) -> None: ...
    def blocks(self, where: str) -> None: ...


class Encoder(Protocol):
    """What the pump asks of a format: a table from types to functions, and the end of the stream."""

    @property
    def table(self) -> Mapping[type, Callable[[Any], bytes]]: ...
    def explain(self, error: BaseException, item: object) -> BaseException: ...
    def finish(self) -> bytes: ...


class StepContext(Protocol):
    """The context in which a source's steps run: a `contextvars.Context`, or an object that runs them where it is."""

    def run(self, function: Callable[..., T], /, *arguments: Any) -> T: ...
    def get(self, variable: ContextVar[T], /) -> T | None: ...


def for_task(context: StepContext) -> Context:
    """Return a context for an asyncio task, which accepts a `contextvars.Context` only."""
    return context if isinstance(context, Context) else copy_context()


def undecided(_: Any) -> bytes:
    """Stand for the encode function of a hot loop until the first item says which it is."""
    raise NotImplementedError


class Producer:
    """What the consumer sees."""

    __slots__ = ("buffer", "context", "encoder", "source", "stopping", "waker")

    def __init__(self, source: AnySource, encoder: Encoder, buffer: Buffer, waker: Waker, context: StepContext) -> None:
        self.source: AnySource = source
        self.encoder: Encoder = encoder
        self.buffer: Buffer = buffer
        self.waker: Waker = waker
        self.context: StepContext = context
        self.stopping: bool = False

    def start(self) -> None:
        """Begin to iterate the source."""

    def pull(self) -> bool:
        """Fill the empty buffer if it is the consumer's to do; say whether it was."""
        return False

    def resume(self) -> None:
        """Go on: the consumer has taken what was there."""

    def stop(self) -> None:
        """Close the source as soon as it lets go, then end the buffer."""
        self.stopping = True
        self.waker.wake_always()  # so that the hot loop looks at `stopping` after its next item

    def _iterate_source(self) -> Iterator[object]:
        """Open a sync source for `_fill`."""
        return chain(self.source.iterate(), (_END,))

    def _fill(self, iterator: Iterator[object]) -> bool:
        """Iterate until the source must pause (False) or is exhausted (True). The hot loop of sync sources."""
        buffer, waker, table = self.buffer, self.waker, self.encoder.table
        items = buffer.items
        last: object = None  # the type of the last item: most streams have one type, and one function, throughout
        encode: Callable[[Any], bytes] = undecided
        while credit := buffer.credit(0):
            room = credit
            for item in islice(iterator, buffer.max_items - len(items)):  # not one length a chunk
                if type(item) is not last:
                    if item is _END:
                        buffer.credit(credit - room)
                        self._finish()
                        return True
                    last = type(item)
                    encode = table[type(item)]
                try:
                    chunk = encode(item)
                except Exception as error:  # noqa: BLE001  # it is raised, explained
                    problem = self.encoder.explain(error, item)
                    raise problem from problem.__cause__
                items.append(chunk)
                room -= len(chunk)
                if waker.waiting:
                    waker.wake()
                    if not self._may_go_on():
                        buffer.credit(credit - room)
                        return False
                if room <= 0:
                    break
            buffer.credit(credit - room)
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
