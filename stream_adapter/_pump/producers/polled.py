"""An async source without a task: the producer polls it for ready items, and it reports when to poll again.

Thousands of listeners that are silent cost one object each, and an event costs one call, until it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context
from typing import Any, Protocol

from stream_adapter._pump.tasks import for_task

from .base import Pipe, Polled, Producer, undecided

__all__ = ["EarlySender", "PolledProducer"]


class EarlySender(Protocol):
    """A consumer that can send while its task waits."""

    def send_ready(self) -> bool:
        """Send what is ready; return False if the task must be woken."""
        ...


class PolledProducer(Producer):
    """Owned by its loop. The consumer polls the source, in its own task, when it has taken what there was.

    The source says when there is more, which wakes the consumer; nothing is polled while the consumer is in a `send`.
    A consumer that can send without its task, which goes on waiting, is asked for that first.

    Args:
        pipe: what it connects.

    Attributes:
        sender: the consumer, if it can send early; None: its task is always woken.
    """

    is_pulled = True
    is_polled = True
    __slots__ = (
        "_encode",
        "_items",
        "_last",
        "_loop",
        "_polled",
        "_task_context",
        "has_more",
        "sender",
    )

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self._polled: Polled
        self._loop: asyncio.AbstractEventLoop
        self._task_context: Context
        self.has_more: bool = True
        self._items: Iterator[object] | None = None  # that were polled, and had no room
        self._last: type | None = None
        self._encode: Callable[[Any], bytes] = undecided
        self.sender: EarlySender | None = None

    def start(self) -> None:
        """Open the source, and poll it."""
        self._loop, self._task_context = asyncio.get_running_loop(), for_task(self.context)
        try:
            self._polled = self.context.run(self.source.open)
            self._polled.begin(self._changed, self._start_task)
        except BaseException as error:  # noqa: BLE001  # the consumer raises it
            self._end(error)
            return
        self.pull()

    def _start_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self._loop.create_task(coroutine, context=self._task_context)

    def _changed(self) -> None:
        self.has_more = True
        if not self.buffer.taken_count:  # until the first item it is polled soon: it then notes where it begins
            self._loop.call_soon(self.pull)
        waker, sender = self.waker, self.sender
        if waker.waiting and (sender is None or not sender.send_ready()):
            waker.wake()

    def pull(self) -> bool:
        """Fill the empty buffer with what is ready; return True if the consumer has something to take."""
        buffer = self.buffer
        if self.has_more and not buffer.items and not buffer.ended:
            buffer.put_all(self.ready())
        return bool(buffer.items) or buffer.ended

    def ready(self) -> list[bytes]:
        """Return what is ready, past the buffer, and no more than it holds; end the buffer after the last of it."""
        chunks: list[bytes] = []
        room = self.buffer.high_water
        try:
            while self.has_more:
                items = self._items
                if items is None:
                    polled = self._polled.poll()
                    if polled is None:
                        if not chunks:
                            self._finish()
                            self._end(None)
                        break
                    items, self.has_more = iter(polled), self._polled.has_more and bool(polled)
                for item in items:
                    if type(item) is not self._last:
                        self._last, self._encode = type(item), self.encoder.table[type(item)]
                    try:
                        chunk = self._encode(item)
                    except Exception as error:  # noqa: BLE001  # it is raised, explained
                        problem = self.encoder.explain(error, item)
                        raise problem from problem.__cause__
                    chunks.append(chunk)
                    room -= len(chunk)
                    if room <= 0:
                        self._items, self.has_more = items, True
                        return chunks
                self._items = None
        except BaseException as error:  # noqa: BLE001  # the consumer raises it, after what came before
            self._end(error)
        return chunks

    def stop(self) -> None:
        """Close the source at once: it is never in the middle of a step here."""
        if not self.buffer.ended:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        try:
            self.source.close_now()
        except BaseException as problem:  # noqa: BLE001  # it is logged, and the stream has ended
            self.source.close_failed(problem)
        self.buffer.end(error)
        self.waker.wake()
