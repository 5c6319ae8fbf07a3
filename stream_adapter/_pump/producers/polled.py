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
        self._polled: Polled | None = None
        self._loop: asyncio.AbstractEventLoop
        self._task_context: Context
        self.has_more: bool = True
        self._items: Iterator[object] | None = None  # that were polled, and are not in the buffer yet
        self._last: type | None = None
        self._encode: Callable[[Any], bytes] = undecided
        self.sender: EarlySender | None = None

    def start(self) -> None:
        """Open the source, and poll it."""
        self._loop, self._task_context = asyncio.get_running_loop(), for_task(self.context)
        try:
            polled = self._polled = self.context.run(self.source.open)
            polled.begin(self._changed, self._start_task)
        except BaseException as error:  # noqa: BLE001  # the consumer raises it
            self._end(error)
            return
        self.pull()

    def _start_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self._loop.create_task(coroutine, context=self._task_context)

    def _changed(self) -> None:
        self.has_more = True
        if self._last is None:  # until the first item it is polled soon: it then notes where it begins
            self._loop.call_soon(self.pull)
        waker, sender = self.waker, self.sender
        if waker.waiting and (sender is None or not sender.send_ready()):
            waker.wake()

    def pull(self) -> bool:
        """Fill the empty buffer with what is ready; return True if the consumer has something to take."""
        if not self.has_more:
            return False
        polled, buffer = self._polled, self.buffer
        if polled is None or buffer.ended:
            return False
        try:
            room = buffer.high_water
            while self.has_more and room > 0:
                items = self._items
                if items is None:
                    ready = polled.poll()
                    if not ready:
                        if ready is None:
                            self._finish()
                            self._end(None)
                            return True
                        self.has_more = False
                        break
                    items = iter(ready)
                    self.has_more = polled.has_more
                room = self._put_items(items, room)
        except BaseException as error:  # noqa: BLE001  # the consumer raises it, after what came before
            self._end(error)
            return True
        return bool(buffer.items)

    def _put_items(self, items: Iterator[object], room: int) -> int:
        """Put items until the buffer is full, and keep those that are left; return how many bytes it has room for."""
        buffer = self.buffer
        chunks = buffer.items
        self._items = items
        for item in items:
            if type(item) is not self._last:
                self._last = type(item)
                self._encode = self.encoder.table[type(item)]
            try:
                chunk = self._encode(item)
            except Exception as error:  # noqa: BLE001  # it is raised, explained
                problem = self.encoder.explain(error, item)
                raise problem from problem.__cause__
            chunks.append(chunk)
            size = len(chunk)
            buffer.put_bytes += size
            room -= size
            if room <= 0 or len(chunks) >= buffer.max_items:
                self.has_more = True
                break
        else:
            self._items = None
        return room

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
