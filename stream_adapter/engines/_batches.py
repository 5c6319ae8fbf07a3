"""What callers on event loops ask of a store, sent together: one exchange at a time, in the order of the calls.

Calls that are made in one step of the loop, or while an exchange is under way, go into the next one. Each caller has
its own reply or error, and its own time. A store with a lock for each channel has a lane for each: they do not wait for
each other.

Who owns what:

    a queue     its event loop, from the first call to the end of the last exchange
    a batch     its queue. Only `begin` may be called in another thread, where the store is asked in one; the lock of
                the batch decides whether a caller whose time is over was sent or not
    a future    its caller, who may cancel it: the others of its batch go on
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from stream_adapter.errors import BrokerError, BrokerUnavailableError, PublishTimeoutError

__all__ = ["Batch", "Batches"]

Asked = TypeVar("Asked")
Reply = TypeVar("Reply")

_MOST = 500  # calls of one exchange
_BYTES = 1 << 20  # of one exchange: a great one must not hold up those behind it
_SLACK = 0.05  # seconds that a caller waits for the exchange's own error, when both their times are over


class _Call(Generic[Asked, Reply]):
    """One caller: what it asks, the bytes of that, when its time is over, and where its reply goes."""

    __slots__ = ("asked", "future", "size", "until")

    def __init__(self, asked: Asked, size: int, until: float, future: asyncio.Future[Reply]) -> None:
        self.asked = asked
        self.size = size
        self.until = until
        self.future = future


class Batch(Generic[Asked, Reply]):
    """The calls of one exchange.

    Attributes:
        timeout: seconds that each of its callers has, from its call on.
        until: when the time of its last caller is over, as the loop counts.
    """

    __slots__ = ("_calls", "_has_begun", "_lock", "timeout", "until")

    def __init__(self, calls: list[_Call[Asked, Reply]], timeout: float) -> None:
        self.timeout: float = timeout
        self.until: float = calls[-1].until
        self._calls = calls
        self._has_begun = False
        self._lock = threading.Lock()

    def begin(self) -> list[Asked]:
        """Return what is still asked for, perhaps nothing. From now on it may be stored.

        Call it once, in any thread; replies have the order of what it returns.
        """
        with self._lock:
            self._has_begun = True
            self._calls = [call for call in self._calls if not call.future.done()]
            return [call.asked for call in self._calls]

    def expire(self, now: float) -> float | None:
        """Fail those whose time is over; return when that of the next one is.

        An exchange that has begun ends with the time of its last caller, and knows better what has happened.
        """
        with self._lock:
            if not self._has_begun:
                return _expire(self._calls, now, self.timeout, _busy)
            early = [call for call in self._calls if call.until < self.until - _SLACK]
            return _expire(early, now, self.timeout, _late)

    def reply(self, replies: Sequence[Reply | Exception]) -> None:
        """Give each caller its reply."""
        for call, reply in zip(self._calls, replies, strict=True):
            if call.future.done():
                continue
            if isinstance(reply, Exception):
                call.future.set_exception(reply)
            else:
                call.future.set_result(reply)

    def fail(self, error: Exception) -> None:
        """Give this error to each caller that has not been answered."""
        _fail(self._calls, error)


Exchange: TypeAlias = Callable[[Batch[Asked, Reply]], Awaitable[Sequence[Reply | Exception]]]
"""Sends a batch, and returns a reply, or an error, for each of what `Batch.begin` returned."""


class Batches(Generic[Asked, Reply]):
    """A queue for each event loop, timeout and lane, while there is something in it.

    Args:
        exchange: sends a batch, and takes until `Batch.until` at most.
    """

    def __init__(self, exchange: Exchange[Asked, Reply]) -> None:
        self._exchange = exchange
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queues[Asked, Reply]] = WeakKeyDictionary()

    async def ask(self, asked: Asked, size: int, timeout: float, lane: Hashable = None) -> Reply:
        """Send it with the next exchange of its lane, and return its reply.

        Args:
            asked: what is sent.
            size: its bytes.
            timeout: seconds.
            lane: what is of different lanes is not sent together, but at the same time.

        Raises:
            BrokerUnavailableError: it was not sent in time.
            PublishTimeoutError: it was sent, and no answer came in time.
        """
        queues = self._queues.setdefault(asyncio.get_running_loop(), {})
        queue = queues.get((timeout, lane))
        if queue is None:
            queue = queues[timeout, lane] = _Queue(self._exchange, timeout, lambda: queues.pop((timeout, lane), None))
        return await queue.put(asked, size)


_Queues: TypeAlias = "dict[tuple[float, Hashable], _Queue[Asked, Reply]]"


class _Queue(Generic[Asked, Reply]):
    """The callers of one event loop that have the same timeout, so that the first one is the first to give up.

    Args:
        exchange: sends a batch.
        timeout: seconds.
        is_empty: called when nothing waits any more; the queue is not used again.
    """

    def __init__(self, exchange: Exchange[Asked, Reply], timeout: float, is_empty: Callable[[], object]) -> None:
        self._is_empty = is_empty
        self._exchange = exchange
        self._timeout = timeout
        self._waiting: list[_Call[Asked, Reply]] = []
        self._batch: Batch[Asked, Reply] | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def put(self, asked: Asked, size: int) -> asyncio.Future[Reply]:
        loop = asyncio.get_running_loop()
        call: _Call[Asked, Reply] = _Call(asked, size, loop.time() + self._timeout, loop.create_future())
        self._waiting.append(call)
        if self._task is None:  # it has none of the first caller's context: others wait for it
            self._task = loop.create_task(self._run(), context=Context())
        if self._timer is None:
            self._timer = loop.call_at(call.until, self._expire)
        return call.future

    async def _run(self) -> None:
        try:
            while self._waiting:
                self._batch = batch = Batch(self._next(), self._timeout)
                try:
                    batch.reply(await self._exchange(batch))
                except Exception as error:  # noqa: BLE001  # each who waits for it raises it
                    batch.fail(error)
        finally:
            self._is_empty()
            if self._batch is not None:  # if it was cancelled, as at the end of the loop: the callers may go on
                self._batch.fail(PublishTimeoutError("the event loop ended before the broker's engine had answered"))
            _fail(self._waiting, BrokerUnavailableError("the event loop ended before the event was sent"))
            self._batch, self._waiting = None, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _next(self) -> list[_Call[Asked, Reply]]:
        """Remove and return the calls of the next exchange."""
        size = count = 0
        for call in self._waiting[:_MOST]:
            size += call.size
            if count and size > _BYTES:
                break
            count += 1
        calls, self._waiting = self._waiting[:count], self._waiting[count:]
        return calls

    def _expire(self) -> None:
        """Fail those whose time is over: what was called first comes first."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        sent = None if self._batch is None else self._batch.expire(now)
        unsent = _expire(self._waiting, now, self._timeout, _busy)
        self._waiting = [call for call in self._waiting if not call.future.done()]
        following = unsent if sent is None else sent
        self._timer = None if following is None else loop.call_at(following, self._expire)


def _expire(
    calls: Sequence[_Call[Asked, Reply]], now: float, timeout: float, error: Callable[[float], Exception]
) -> float | None:
    for call in calls:
        if call.future.done():
            continue
        if call.until > now:
            return call.until
        call.future.set_exception(error(timeout))
    return None


def _fail(calls: Sequence[_Call[Asked, Reply]], error: Exception) -> None:
    for call in calls:
        if not call.future.done():
            call.future.set_exception(_copy_of(error))


def _busy(timeout: float) -> Exception:
    return BrokerUnavailableError(f"the broker's engine was busy for {timeout:g} s")


def _late(timeout: float) -> Exception:
    return PublishTimeoutError(f"the broker's engine did not answer within {timeout:g} s")


def _copy_of(error: Exception) -> Exception:
    """Return an error for one of several callers, since each adds its frames to it."""
    if not isinstance(error, BrokerError):
        return error
    copy = type(error)(*error.args)
    copy.__cause__ = error.__cause__
    return copy
