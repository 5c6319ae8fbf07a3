"""A lazy source with a listener per reader, opened for each request after its cursor.

Two short loops drive one listener's steps: sync in a thread (or greenlet), async on an event loop.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from stream_adapter._request import RequestHead
from stream_adapter._source_protocols import Opener, PolledSource, RequestSource
from stream_adapter.formats._published import Item, Opening

from ._records import Control, Delivery, Event, Record
from ._steps import BATCH, FOLLOW, Call, Step, Steps, Wait, aresult_of, go_on, sent, thrown
from ._waiters import LoopWaiter, ThreadWaiter, is_gevent

__all__ = ["AsyncStream", "EventSource", "Listening", "SyncStream"]


class Listening(Opener):
    """What has a listener per reader: a response, or Python code.

    Attributes:
        log_name: its name in the log.
    """

    __slots__ = ("log_name",)

    log_name: str

    @abstractmethod
    def listener(self, cursor: str | None) -> tuple[Steps, LoopWaiter | ThreadWaiter]:
        """Make a listener that runs here, on this loop or in this thread."""

    def for_request(self, head: RequestHead) -> AsyncIterator[Item] | Iterator[Item]:
        """Continue after the request's Last-Event-ID, if it has one."""
        cursor = head.cursor
        if is_gevent():  # threads are greenlets, and waiting in one is cheap
            return SyncStream(self, cursor)
        return AsyncStream(self, cursor)

    def items(self, cursor: str | None) -> Generator[Item]:
        """Drive a listener in this thread."""
        listener, waiter = self.listener(cursor)
        if not isinstance(waiter, ThreadWaiter):
            raise RuntimeError("this would block the event loop that runs here; use `async for`")  # noqa: TRY004
        steps = listener.steps()
        try:
            step = next(steps, None)
            while step is not None:
                if isinstance(step, list):
                    yield from step
                    step = next(steps, None)
                elif isinstance(step, Wait):
                    waiter.wait()
                    step = next(steps, None)
                else:
                    step = go_on(steps, step)
        finally:
            steps.close()
            listener.close()

    async def aitems(self, cursor: str | None) -> AsyncGenerator[Item]:
        """Drive a listener on this event loop."""
        listener, waiter = self.listener(cursor)
        assert isinstance(waiter, LoopWaiter)  # noqa: S101  # a loop runs here
        steps = listener.steps()
        try:
            step: Step | None = next(steps, None)
            while step is not None:
                if isinstance(step, Wait):
                    await waiter.wait()
                    step = next(steps, None)
                elif isinstance(step, list):
                    for item in step:
                        yield item
                    step = next(steps, None)
                else:
                    try:
                        result = await aresult_of(step)
                    except Exception as error:  # noqa: BLE001  # the steps decide
                        step = thrown(steps, error)
                    else:
                        step = sent(steps, result)
        finally:
            steps.close()
            listener.close()

    def event_of(self, item: object) -> Event:
        """Return an item as Python code reads it."""
        if isinstance(item, (Record, Delivery, Control)):
            return item.event()
        raise TypeError(f"expected an event, got {type(item).__name__}")

    def events(self) -> Iterator[Event]:
        """Yield events, waiting for each in this thread."""
        for item in self.items(None):
            if not isinstance(item, Opening):
                yield self.event_of(item)

    async def aevents(self) -> AsyncGenerator[Event]:
        """Yield events, waiting for each on this event loop."""
        items = self.aitems(None)
        try:
            async for item in items:
                if not isinstance(item, Opening):
                    yield self.event_of(item)
        finally:
            await items.aclose()


Listening_co = TypeVar("Listening_co", bound=Listening, covariant=True)


class EventSource(RequestSource[Listening_co], Iterable[Event], AsyncIterable[Event]):
    """A source for any number of responses, and an iterable of events: what users hold of a `Listening`."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Event]:
        """Yield events, waiting for each; resets and snapshots are among them."""
        return self._opener.events()

    def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events, waiting for each; resets and snapshots are among them."""
        return self._opener.aevents()


class AsyncStream(PolledSource, AsyncIterator[Item]):
    """One request's stream, which begins when it is read: polled on an event loop, or iterated in a task."""

    __slots__ = (
        "_changed",
        "_cursor",
        "_follows",
        "_items",
        "_listener",
        "_listening",
        "_loop",
        "_pending",
        "_start",
        "_steps",
        "has_more",
        "log_name",
    )

    def __init__(self, listening: Listening, cursor: str | None) -> None:
        self.log_name: str = listening.log_name
        self._listening = listening  # until it begins
        self._cursor = cursor
        self._items: AsyncGenerator[Item] | None = None
        self._steps: Generator[Step, Any, None] | None = None
        self._pending: Future[Any] | asyncio.Task[Any] | None = None
        self._follows = False  # the listener says what has come, and has no steps
        self.has_more: bool = True
        self._changed: Callable[[], None]
        self._listener: Steps | None = None
        self._start: Callable[[Any], asyncio.Task[Any]]

    def begin(self, changed: Callable[[], None], start: Callable[[Any], asyncio.Task[Any]]) -> None:
        """Make the listener; it enters its channels when it is polled."""
        self._changed, self._start = changed, start
        self._loop = asyncio.get_running_loop()
        listener, waiter = self._listening.listener(self._cursor)
        del self._listening  # thousands of listeners are silent
        assert isinstance(waiter, LoopWaiter)  # noqa: S101  # a loop runs here
        waiter.changed = changed
        self._listener, self._steps = listener, listener.steps()

    def poll(self) -> Sequence[Item] | None:
        """Return the newest items, or run the listener's steps until one has items, or must wait."""
        listener = self._listener
        if self._follows and listener is not None:
            newest = listener.newest()
            if newest is not None:
                self.has_more = len(newest) == BATCH
                return newest
            self._follows, self._steps = False, listener.steps()
        self.has_more = True
        steps = self._steps
        return None if steps is None else self._step(steps)

    def _step(self, steps: Generator[Step, Any, None]) -> Sequence[Item] | None:
        pending = self._pending
        if pending is None:
            step: Step | None = next(steps, None)
        elif pending.done():
            self._pending = None
            step = go_on(steps, pending)
        else:
            return ()
        while not isinstance(step, list):
            if step is None:
                return None
            if step is FOLLOW:
                self._follows, self._steps = True, None
                return ()
            if isinstance(step, Wait):
                return ()
            self._pending = pending = self._started(step)
            if not pending.done():
                pending.add_done_callback(self._is_done)
                return ()
            self._pending = None
            step = go_on(steps, pending)
        return step

    def _started(self, step: Any) -> Future[Any] | asyncio.Task[Any]:
        return self._start(aresult_of(step)) if isinstance(step, Call) else step

    def _is_done(self, pending: Future[Any] | asyncio.Task[Any]) -> None:
        """Ask the source to poll again; call it in any thread."""
        if isinstance(pending, asyncio.Task):
            self._changed()
            return
        with suppress(RuntimeError):  # the loop is closed, and nothing of it is read
            self._loop.call_soon_threadsafe(self._changed)

    def close(self) -> None:
        """Leave the channels."""
        listener, self._listener = self._listener, None
        steps, self._steps, self._follows = self._steps, None, False
        if isinstance(self._pending, asyncio.Task):
            self._pending.cancel()
        if steps is not None:
            steps.close()
        if listener is not None:
            listener.close()

    def __aiter__(self) -> AsyncGenerator[Item]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._items = self._listening.aitems(self._cursor)
        return self._items

    async def __anext__(self) -> Item:
        return await anext(self._items or self.__aiter__())

    async def aclose(self) -> None:
        self.close()
        if self._items is not None:
            await self._items.aclose()


class SyncStream(Iterator[Item]):
    """One request's stream, where threads are greenlets."""

    def __init__(self, listening: Listening, cursor: str | None) -> None:
        self.log_name = listening.log_name
        self._items = listening.items(cursor)

    def __next__(self) -> Item:
        return next(self._items)

    def close(self) -> None:
        self._items.close()
