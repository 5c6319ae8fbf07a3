"""An async source without a task: the producer polls it for ready items, and it reports when to poll again.

Thousands of listeners that are silent cost one object each, and an event costs one call, until it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from stream_adapter._pump.context import for_task

from .base import Pipe, Producer, undecided

__all__ = ["Polled", "PolledProducer"]


class Polled(Protocol):
    """The interface of a polled source. Methods are called on its loop, and return at once."""

    def begin(self, changed: Callable[[], None], start: Callable[[Any], asyncio.Task[Any]]) -> None:
        """Begin. `changed` is called on the loop where `poll` may return more; `start` runs a coroutine of a user's."""
        ...

    def poll(self) -> Sequence[object] | None:
        """Return the items that are ready; an empty sequence while there are not any, None at the end."""
        ...


class PolledProducer(Producer):
    """Owned by its loop: polled when the source says so, and when the consumer has taken what there was.

    Args:
        pipe: what it connects.
        open_source: opens the source, and returns it.
        close_source: closes it, at once.
    """

    __slots__ = ("_close_source", "_encode", "_items", "_last", "_open_source", "_polled")

    def __init__(self, pipe: Pipe, *, open_source: Callable[[], Polled], close_source: Callable[[], None]) -> None:
        super().__init__(pipe)
        self._open_source = open_source
        self._close_source = close_source
        self._polled: Polled | None = None
        self._items: Iterator[object] | None = None  # that were polled, and are not in the buffer yet
        self._last: type | None = None
        self._encode: Callable[[Any], bytes] = undecided

    def start(self) -> None:
        """Open the source, and poll it."""
        loop, context = asyncio.get_running_loop(), for_task(self.context)
        try:
            polled = self._polled = self.context.run(self._open_source)
            polled.begin(self.resume, lambda coroutine: loop.create_task(coroutine, context=context))
        except BaseException as error:  # noqa: BLE001  # the consumer raises it
            self._end(error)
            return
        self.resume()

    def resume(self) -> None:
        """Put what is ready, as far as there is room."""
        polled, buffer = self._polled, self.buffer
        if polled is None or self.stopping or buffer.ended:
            return
        try:
            while not buffer.is_full():
                items = self._items
                if items is None:
                    ready = polled.poll()
                    if ready is None:
                        self._finish()
                        self._end(None)
                        return
                    if not ready:
                        return
                    items = iter(ready)
                self._items = self._put_items(items)
        except BaseException as error:  # noqa: BLE001  # the consumer raises it, after what came before
            self._end(error)

    def _put_items(self, items: Iterator[object]) -> Iterator[object] | None:
        """Put items until the buffer is full; return those that are left."""
        buffer = self.buffer
        for item in items:
            if type(item) is not self._last:
                self._last = type(item)
                self._encode = self.encoder.table[type(item)]
            try:
                chunk = self._encode(item)
            except Exception as error:  # noqa: BLE001  # it is raised, explained
                problem = self.encoder.explain(error, item)
                raise problem from problem.__cause__
            is_full = buffer.put(chunk)
            if self.waker.waiting:
                self.waker.wake()
            if is_full:
                return items
        return None

    def stop(self) -> None:
        """Close the source at once: it is never in the middle of a step here."""
        super().stop()
        if not self.buffer.ended:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        try:
            self._close_source()
        except BaseException as problem:  # noqa: BLE001  # it is logged, and the stream has ended
            self.source.close_failed(problem)
        self.buffer.end(error)
        self.waker.wake()
