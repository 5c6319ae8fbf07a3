"""A subscription as a source: lazy, and opened for each request, after that request's cursor.

Two short loops drive one listener's steps: sync in a thread (or greenlet), async on an event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
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
from typing import Any, cast

from stream_adapter._encode import kind_of
from stream_adapter._pump import run
from stream_adapter._request import RequestHead
from stream_adapter._source import PolledSource, RequestSource
from stream_adapter.formats._published import Opening, Published

from ._hub import MAX_REPLAY, Hub
from ._ids import MAX_CHANNELS, ChannelName
from ._listener import WAIT, Call, Listener, Options, Step
from ._records import Control, Delivery, Event, Record
from ._waiters import LoopWaiter, ThreadWaiter

__all__ = ["Subscription", "options_of"]

_ON_GAP = ("reset", "snapshot", "gone")


def options_of(  # noqa: PLR0917  # in the order of the public function's
    prefix: str, channels: object, since: object, replay: object, snapshot: object, on_gap: object
) -> Options:
    """Check the options of `Broker.subscribe`.

    Raises:
        ValueError: one has a value that is not allowed.
        TypeError: one is of the wrong type.
    """
    names = _names_of(prefix, channels)
    if since is not None and not isinstance(since, str):
        raise TypeError(f"since: expected None, 'now', 'earliest' or an id, got {type(since).__name__}")
    _check_replay(replay, since)
    if snapshot is not None:
        _check_snapshot(snapshot, replays=bool(replay) or since == "earliest")
    if on_gap is None:
        on_gap = "reset" if snapshot is None else "snapshot"
    if on_gap not in _ON_GAP:
        raise ValueError(f"on_gap: expected 'reset', 'snapshot' or 'gone', got {on_gap!r}")
    if on_gap == "snapshot" and snapshot is None:
        raise ValueError("on_gap: 'snapshot' needs snapshot=, a function that loads the state")
    return Options(names, since, cast("Any", replay), cast("Any", snapshot), cast("Any", on_gap))


def _check_replay(replay: object, since: str | None) -> None:
    if replay is None:
        return
    if type(replay) is not int:
        raise TypeError(f"replay: expected a whole number, got {type(replay).__name__}")
    if not 0 <= replay <= MAX_REPLAY:
        raise ValueError(f"replay: expected 0 to {MAX_REPLAY}, got {replay}")
    if since not in {None, "now", "earliest"}:
        raise ValueError("replay: expected None with a cursor in since, which says what to replay; got both")


def _check_snapshot(snapshot: object, *, replays: bool) -> None:
    if not callable(snapshot):
        raise TypeError(f"snapshot: expected a function without arguments, got {type(snapshot).__name__}")
    if replays:
        raise ValueError("snapshot: expected no replay with it, for the state is sent first; got both")


def _names_of(prefix: str, channels: Any) -> tuple[ChannelName, ...]:
    if isinstance(channels, str):
        return (ChannelName.of(prefix, channels),)
    if not hasattr(channels, "__iter__") or kind_of(channels.__class__) == "bytes":
        raise TypeError(f"channel: expected text, or several in a list, got {channels.__class__.__name__}")
    names = tuple(ChannelName.of(prefix, channel) for channel in channels)
    if not 1 <= len(names) <= MAX_CHANNELS:
        raise ValueError(f"channel: expected 1 to {MAX_CHANNELS} channels, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError("channel: expected different channels, got one twice")
    return names


class Subscription(RequestSource, Iterable[Event], AsyncIterable[Event]):
    """What `Broker.subscribe` returns: a source for any number of responses, and an iterable of events.

    It registers nothing until it is resolved for a request and read, or iterated.
    """

    __slots__ = ("_hub", "_options", "log_name")

    def __init__(self, hub: Callable[[], Hub], options: Options, log_name: str) -> None:
        self._hub = hub
        self._options = options
        self.log_name: str = log_name

    def for_request(self, head: RequestHead) -> AsyncIterator[Published] | Iterator[Published]:
        """Go on after the request's Last-Event-ID, or else begin where `since` says."""
        cursor = head.cursor
        if _is_gevent():  # greenlets are its threads: waiting in one is what costs nothing there
            return _SyncStream(self, cursor)
        return _AsyncStream(self, cursor)

    def listener(self, cursor: str | None) -> tuple[Listener, LoopWaiter | ThreadWaiter]:
        """Make a listener that runs here, on this loop or in this thread."""
        if cursor is None and self._options.since not in {None, "now", "earliest"}:
            cursor = self._options.since
        hub = self._hub()
        waiter = hub.waiter()
        return Listener(hub, self._options, cursor, waiter), waiter

    def items(self, cursor: str | None) -> Generator[Published]:
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
                elif step is WAIT:
                    waiter.wait()
                    step = next(steps, None)
                else:
                    step = _go_on(steps, _result_of, step)
        finally:
            steps.close()

    async def aitems(self, cursor: str | None) -> AsyncGenerator[Published]:
        """Drive a listener on this event loop."""
        listener, waiter = self.listener(cursor)
        assert isinstance(waiter, LoopWaiter)  # noqa: S101  # a loop runs here
        steps = listener.steps()
        try:
            step: Step | None = next(steps, None)
            while step is not None:
                if step is WAIT:
                    await waiter.wait()
                    step = next(steps, None)
                elif isinstance(step, list):
                    for item in step:
                        yield item
                    step = next(steps, None)
                else:
                    try:
                        result = await _aresult_of(step)
                    except Exception as error:  # noqa: BLE001  # the steps decide
                        step = _thrown(steps, error)
                    else:
                        step = _sent(steps, result)
        finally:
            steps.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield events, waiting for each; resets and snapshots are among them."""
        for item in self.items(None):
            if not isinstance(item, Opening):
                yield _event_of(item)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events, waiting for each; resets and snapshots are among them."""
        items = self.aitems(None)
        try:
            async for item in items:
                if not isinstance(item, Opening):
                    yield _event_of(item)
        finally:
            await items.aclose()


class _AsyncStream(PolledSource, AsyncIterator[Published]):
    """One request's stream, which begins when it is read: polled on an event loop, or iterated in a task."""

    __slots__ = ("_changed", "_cursor", "_items", "_loop", "_pending", "_start", "_steps", "_subscription")

    def __init__(self, subscription: Subscription, cursor: str | None) -> None:
        self._subscription = subscription
        self._cursor = cursor
        self._items: AsyncGenerator[Published] | None = None
        self._steps: Generator[Step, Any, None] | None = None
        self._pending: Future[Any] | asyncio.Task[Any] | None = None
        self._changed: Callable[[], None]
        self._start: Callable[[Any], asyncio.Task[Any]]

    @property
    def log_name(self) -> str:
        """Its name in the log."""
        return self._subscription.log_name

    def begin(self, changed: Callable[[], None], start: Callable[[Any], asyncio.Task[Any]]) -> None:
        """Make the listener; it enters its channels when it is polled."""
        self._changed, self._start = changed, start
        self._loop = asyncio.get_running_loop()
        listener, waiter = self._subscription.listener(self._cursor)
        assert isinstance(waiter, LoopWaiter)  # noqa: S101  # a loop runs here
        waiter.changed = changed
        self._steps = listener.steps()

    def poll(self) -> Sequence[Published] | None:
        """Go on with the listener's steps until one has items, or must be waited for."""
        steps, pending = self._steps, self._pending
        if steps is None:
            return None
        if pending is None:
            step: Step | None = next(steps, None)
        elif pending.done():
            self._pending = None
            step = _go_on(steps, _result_of, pending)
        else:
            return ()
        while not isinstance(step, list):
            if step is None:
                return None
            if step is WAIT:
                return ()
            self._pending = pending = self._started(step)
            if not pending.done():
                pending.add_done_callback(self._is_done)
                return ()
            self._pending = None
            step = _go_on(steps, _result_of, pending)
        return step

    def _started(self, step: Any) -> Future[Any] | asyncio.Task[Any]:
        return self._start(_aresult_of(step)) if isinstance(step, Call) else step

    def _is_done(self, pending: Future[Any] | asyncio.Task[Any]) -> None:
        """Ask the source to poll again; call it in any thread."""
        if isinstance(pending, asyncio.Task):
            self._changed()
            return
        with suppress(RuntimeError):  # the loop is closed, and nothing of it is read
            self._loop.call_soon_threadsafe(self._changed)

    def close(self) -> None:
        """Leave the channels."""
        steps, self._steps = self._steps, None
        if isinstance(self._pending, asyncio.Task):
            self._pending.cancel()
        if steps is not None:
            steps.close()

    def __aiter__(self) -> AsyncGenerator[Published]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._items = self._subscription.aitems(self._cursor)
        return self._items

    async def __anext__(self) -> Published:
        return await anext(self._items or self.__aiter__())

    async def aclose(self) -> None:
        self.close()
        if self._items is not None:
            await self._items.aclose()


class _SyncStream(Iterator[Published]):
    """One request's stream, where threads are greenlets."""

    def __init__(self, subscription: Subscription, cursor: str | None) -> None:
        self.log_name = subscription.log_name
        self._items = subscription.items(cursor)

    def __next__(self) -> Published:
        return next(self._items)

    def close(self) -> None:
        self._items.close()


def _event_of(item: Published) -> Event:
    if isinstance(item, (Record, Delivery, Control)):
        return item.event()
    raise TypeError(f"expected an event, got {type(item).__name__}")


def _go_on(steps: Generator[Step, Any, None], result_of: Callable[[Any], Any], step: object) -> Step | None:
    try:
        result = result_of(step)
    except Exception as error:  # noqa: BLE001  # the steps decide
        return _thrown(steps, error)
    return _sent(steps, result)


def _sent(steps: Generator[Step, Any, None], result: object) -> Step | None:
    try:
        return steps.send(result)
    except StopIteration:
        return None


def _thrown(steps: Generator[Step, Any, None], error: Exception) -> Step | None:
    try:
        return steps.throw(error)
    except StopIteration:
        return None


def _result_of(step: Any) -> Any:
    if isinstance(step, Call):
        result = step.function()
        return run(_awaited(result)) if inspect.isawaitable(result) else result
    return step.result()


async def _aresult_of(step: Any) -> Any:
    if isinstance(step, Call):
        function = step.function
        result = function() if inspect.iscoroutinefunction(function) else await asyncio.to_thread(function)
        return await result if inspect.isawaitable(result) else result
    future: Future[Any] = step
    if future.done():
        return future.result()
    return await asyncio.shield(asyncio.wrap_future(future))  # others wait for it, too


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _is_gevent() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
