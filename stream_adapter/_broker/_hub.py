"""The hub: what the listeners of one process share. There is one for each broker and process.

Who owns what, and who may touch it:

    a channel        the hub, from its first listener until some seconds after its last; all fields under `lock`
    a ring           its channel; written under `lock`, read by listeners without it. A ring that broke (another epoch,
                     a hole that cannot be filled) is replaced, never mended
    a cursor         its listener alone, in its own loop or thread
    a waiter         its loop or thread; it is registered and removed under `lock`, and woken by its LoopGroup
    the engine       publishers call `append`; everything else is asked by the hub's worker: one thread, in the order
                     in which it was asked, so that an unwatch cannot overtake a watch. An engine that never blocks is
                     asked by the listener itself, under `asking`
    reports          `received`, `changed`, `disconnected`, `reconnected` come from any thread of the engine's, perhaps
                     under its locks, and `received` from a run's producer in this process as well: what comes twice is
                     dropped by its offset. They take `lock` and never ask the engine: the worker reads what is needed

No lock is held while the engine is asked, but `asking`, which is taken before `lock` and never after it.

From a listener's start to its first live event:

1.  `enter` counts it and, for the first one, asks the worker to watch the channel and read its position. Channels that
    are entered while the worker is busy are opened together.
2.  What arrives before the position is known is read again, for it may be newer than the answer that is under way.
3.  Its history is read, unless the ring has it. Listeners that need the same part at the same time share one read.
4.  The listener splices: after its history it takes records from the ring by offset. A hole in the ring is read again;
    one that stays makes a new ring, in which the listener finds itself behind and is reset.
5.  Every 30 s, and after the engine's connection came back, positions are compared, of up to 1,000 channels at a time.
6.  `leave` counts it out; after the last one, `LINGER` seconds later, the worker unwatches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from stream_adapter._log import logger
from stream_adapter.engines import Engine, Entry, Position, Receiver
from stream_adapter.errors import BrokerError, BrokerUnavailableError

from ._channel import Channel
from ._ids import ChannelName
from ._openings import Openings
from ._repairs import describe
from ._waiters import LoopGroup, LoopWaiter, ThreadWaiter, Waiter

__all__ = ["Hub"]

LINGER = 5.0  # seconds that a channel without listeners is watched

_DONE: Future[None] = Future()
_DONE.set_result(None)


class Hub(Openings, Receiver):
    """The listeners of one process to one broker's channels.

    Args:
        engine: where the channels are.
        prefix: the broker's, for the log.
    """

    def __init__(self, engine: Engine, prefix: str) -> None:
        super().__init__(engine, prefix)
        self._groups: dict[asyncio.AbstractEventLoop, LoopGroup] = {}
        self.resets: dict[str, int] = {}
        self.reconnects: int = 0
        self._lag = 0.0  # below zero if a clock was set

    # what listeners ask

    def waiter(self) -> LoopWaiter | ThreadWaiter:
        """Make the waiter of a listener that runs here: on an event loop, or in a thread."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return ThreadWaiter()
        with self.lock:
            return LoopWaiter(self._group(loop))

    def enter(self, name: ChannelName, waiter: Waiter, epoch: str | None = None) -> tuple[Channel, Future[None]]:
        """Count a listener; return a future that is done when the channel is watched and its position known.

        Args:
            name: the channel.
            waiter: the listener's.
            epoch: of the run that it will follow; one that has begun here is known, and is watched soon.
        """
        group = waiter.group if isinstance(waiter, LoopWaiter) else None
        with self.lock:
            channel = self._counted(name, group)
            channel.by_group.setdefault(group, {})[waiter] = waiter.wake
            is_known = epoch is not None and channel.ring is not None and channel.ring.epoch == epoch
        return channel, _DONE if is_known else self.opening(channel)

    def leave(self, channel: Channel, waiter: Waiter) -> None:
        """Remove a listener from the count. Call it once for each `enter`."""
        group = waiter.group if isinstance(waiter, LoopWaiter) else None
        with self.lock:
            waiters = channel.by_group[group]
            del waiters[waiter]
            if not waiters:
                del channel.by_group[group]
            self._uncount(channel, group)

    def _group(self, loop: asyncio.AbstractEventLoop) -> LoopGroup:
        group = self._groups.get(loop)
        if group is None:
            group = self._groups[loop] = LoopGroup(loop, self.lock)
        return group

    def _counted(self, name: ChannelName, group: LoopGroup | None) -> Channel:
        if self.is_closed:
            raise BrokerUnavailableError("the broker is closed")
        channel = self.channels.get(name.key)
        if channel is None:
            channel = self.channels[name.key] = Channel(name)
        channel.listeners += 1
        if group is not None:
            group.count += 1
        return channel

    def _uncount(self, channel: Channel, group: LoopGroup | None) -> None:
        channel.listeners -= 1
        if group is not None:
            group.count -= 1
            if not group.count:
                self._groups.pop(group.loop, None)
        if not channel.listeners and not self.is_closed:
            self._worker.after(LINGER, partial(self._forget, channel))

    def observe(
        self, name: ChannelName, changed: Callable[[], object], epoch: str
    ) -> tuple[Channel, Callable[[], None]]:
        """Call `changed`, in any thread, when the engine reports a change; return a function that ends it.

        If the engine blocks, call `watch` afterwards, for which the run's listeners in this process need not wait.

        Args:
            name: the channel of a run that this process has begun just now, and will report itself by `received`.
            changed: returns at once.
            epoch: the run's.
        """
        with self.lock:
            channel = self._counted(name, None)
            channel.observers[changed] = None
            if self._engine.blocks and (channel.ring is None or channel.ring.epoch != epoch):
                self._replace(channel, Position(epoch, 0))
        if not self._engine.blocks:
            self.opening(channel)
        return channel, partial(self._leave_observed, channel, changed)

    def _leave_observed(self, channel: Channel, changed: Callable[[], object]) -> None:
        with self.lock:
            del channel.observers[changed]
            self._uncount(channel, None)

    def watch(self, channel: Channel, changed: Callable[[], object]) -> None:
        """Have an observed channel watched, if it is listened to still; call `changed` then: it may have missed one."""
        if channel.listeners:
            self.opening(channel).add_done_callback(lambda _: changed())

    def after(self, seconds: float, job: Callable[[], None]) -> None:
        """Run a job in the worker's thread after some seconds, unless the hub is closed by then."""
        self._worker.after(seconds, job)

    def wake(self, channel: Channel) -> None:
        """Wake a channel's listeners, which check for new records."""
        self._wake(channel)

    def wake_later(self, channel: Channel) -> None:
        """Wake a channel's listeners in about a second: the engine has failed."""
        self.soon(partial(self._wake, channel))

    def count_reset(self, reason: str) -> None:
        """Count a reset."""
        with self.lock:
            self.resets[reason] = self.resets.get(reason, 0) + 1

    # what the engine reports

    def received(self, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        """Splice entries into the channel's ring, and wake its listeners."""
        called: Sequence[LoopGroup] = ()
        with self.lock:
            found = self.channels.get(channel)
            if found is None:
                return
            ring = found.ring
            if ring is None or ring.epoch != epoch:  # None: it may be newer than the position that is being read
                self._catch_up_soon(found)
                return
            top = ring.top
            has_hole = ring.add(entries)
            if ring.top > top:
                self.received_count += ring.top - top
                self._lag = time.time() - entries[-1].time
                called = found.schedule()
            if has_hole:
                self._catch_up_soon(found)
        for group in called:  # after the lock, for which their loops would wait
            group.call()

    def changed(self, channel: str | None = None) -> None:
        """Read a channel again, or compare the positions of all."""
        if channel is None:
            self._worker.submit(self._check_all)
            return
        with self.lock:
            found = self.channels.get(channel)
            if found is None:
                return
            self._catch_up_soon(found)
            observers = list(found.observers)
        for report in observers:
            report()

    def disconnected(self, error: BaseException) -> None:
        """Log the lost connection, once until the engine reconnects."""
        if self._note_connection(is_lost=True):
            logger.warning(
                "broker %s: the connection was lost (%s); listeners stay, reconnecting", self._prefix, describe(error)
            )

    def reconnected(self) -> None:
        """Compare the positions of all channels."""
        with self.lock:
            self.reconnects += 1
        if self._note_connection(is_lost=False):
            logger.info("broker %s: connected again; comparing positions", self._prefix)
        self._worker.submit(self._check_all)

    def counts(self) -> dict[str, object]:
        """Return its counts for `Broker.stats`."""
        with self.lock:
            return {
                "listeners": sum(channel.count for channel in self.channels.values()),
                "channels": len(self.channels),
                "received": self.received_count,
                "lag": max(0.0, self._lag),
                "resets": dict(self.resets),
                "reconnects": self.reconnects,
                "is_connected": not self.is_disconnected,
            }

    def close(self) -> None:
        """End every listener, and stop watching. The hub is not used again."""
        with self.lock:
            self.is_closed = True
            channels = list(self.channels.values())
            for channel in channels:
                channel.wake()
        closed = BrokerUnavailableError("the broker is closed")
        self._refuse_unopened(closed)
        self._refuse_unread(closed)

        def unwatch() -> None:
            with suppress(BrokerError):
                for channel in channels:
                    self._engine.unwatch(channel.key)

        self._worker.finish(unwatch if channels else None)

    # what the worker does

    def _forget(self, channel: Channel) -> None:
        with self._asking:  # the next listener's watch comes after this unwatch
            with self.lock:
                if channel.listeners or self.channels.get(channel.key) is not channel:
                    return
                del self.channels[channel.key]
            try:
                self._engine.unwatch(channel.key)
            except BrokerError as error:
                self._log_trouble(error)

    def _wake(self, channel: Channel) -> None:
        with self.lock:
            channel.wake()
