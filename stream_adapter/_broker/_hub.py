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
                     under its locks. They take `lock` and never ask the engine: the worker reads what is needed

No lock is held while the engine is asked, but `asking`, which is taken before `lock` and never after it.

From a listener's start to its first live event:

1.  `enter` counts it and, for the first one, asks the worker to watch the channel and read its position.
2.  What arrives before the position is known is read again, for it may be newer than the answer that is under way.
3.  Its history is read, unless the ring has it. Listeners that need the same part at the same time share one read.
4.  The listener splices: after its history it takes records from the ring by offset. A hole in the ring is read again;
    one that stays makes a new ring, in which the listener finds itself behind and is reset.
5.  Every 30 s, and after the engine's connection came back, one round trip compares all positions.
6.  `leave` counts it out; after the last one, `LINGER` seconds later, the worker unwatches.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from stream_adapter._log import logger
from stream_adapter.engines import Engine, Entry, Position, Receiver
from stream_adapter.errors import BrokerError, BrokerUnavailableError

from ._channel import Channel, Read
from ._ids import ChannelName
from ._repairs import Repairs, describe
from ._ring import Ring
from ._waiters import LoopGroup, LoopWaiter, Observer, ThreadWaiter, Waiter

__all__ = ["Hub"]

LINGER = 5.0  # seconds that a channel without listeners is watched


class Hub(Repairs, Receiver):
    """The listeners of one process to one broker's channels.

    Args:
        engine: where the channels are.
        prefix: the broker's, for the log.
    """

    def __init__(self, engine: Engine, prefix: str) -> None:
        super().__init__(engine, prefix)
        self._asking = threading.RLock()
        self._groups: dict[asyncio.AbstractEventLoop, LoopGroup] = {}
        self._failure: tuple[float, str] = (float("-inf"), "")  # the engine's last: when, and why; the worker's
        self.is_closed: bool = False
        self.resets: dict[str, int] = {}
        self.reconnects: int = 0
        self.lag: float = 0.0

    # what listeners ask

    def waiter(self) -> LoopWaiter | ThreadWaiter:
        """Make the waiter of a listener that runs here: on an event loop, or in a thread."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return ThreadWaiter()
        with self.lock:
            group = self._groups.get(loop)
            if group is None:
                group = self._groups[loop] = LoopGroup(loop, self.lock)
            return LoopWaiter(group)

    def enter(self, name: ChannelName, waiter: Waiter) -> tuple[Channel, Future[None]]:
        """Count a listener; return a future that is done when the channel is watched and its position known."""
        with self.lock:
            if self.is_closed:
                raise BrokerUnavailableError("the broker is closed")
            channel = self.channels.get(name.key)
            if channel is None:
                channel = self.channels[name.key] = Channel(name)
            channel.listeners += 1
            group = waiter.group if isinstance(waiter, LoopWaiter) else None
            if group is not None:
                group.count += 1
            channel.by_group.setdefault(group, {})[waiter] = None
        return channel, self.opening(channel)

    def opening(self, channel: Channel) -> Future[None]:
        """Return a future that is done when an entered channel is open; ask the engine if that is not under way."""
        with self.lock:
            under_way = channel.opened
            if under_way is not None:
                return under_way
            opened = channel.opened = Future[None]()
        if self.is_disconnected:  # asking takes as long as the engine's timeout, and nothing is sent then
            self._refuse(channel, opened, BrokerUnavailableError("the connection to the broker's engine was lost"))
        else:
            self._ask(partial(self._open, channel, opened, time.monotonic()))
        return opened

    def leave(self, channel: Channel, waiter: Waiter) -> None:
        """Remove a listener from the count. Call it once for each `enter`."""
        with self.lock:
            channel.listeners -= 1
            group = waiter.group if isinstance(waiter, LoopWaiter) else None
            waiters = channel.by_group[group]
            del waiters[waiter]
            if not waiters:
                del channel.by_group[group]
            if group is not None:
                group.count -= 1
                if not group.count:
                    self._groups.pop(group.loop, None)
            if channel.listeners or self.is_closed:
                return
        self._worker.after(LINGER, partial(self._forget, channel))

    def observe(self, name: ChannelName, changed: Callable[[], None]) -> tuple[Channel, Callable[[], None]]:
        """Call `changed`, in any thread, when the engine reports a change; return a function that ends it."""
        observer = Observer(changed)
        channel, _ = self.enter(name, observer)
        return channel, partial(self.leave, channel, observer)

    def wake_here(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        """Wake a channel's listeners on the loop that runs here, as a call that it has been given will append."""
        with self.lock:
            group = self._groups.get(loop)
            if group is not None and group in channel.by_group:
                group.schedule(channel)

    def after(self, seconds: float, job: Callable[[], None]) -> None:
        """Run a job in the worker's thread after some seconds, unless the hub is closed by then."""
        self._worker.after(seconds, job)

    def wake(self, channel: Channel) -> None:
        """Wake a channel's listeners, which check for new records."""
        self._wake(channel)

    def read(self, channel: Channel, since: int | None, limit: int) -> Future[Read]:
        """Read a part of the history; callers that want the same at the same time share one round trip."""
        what = since, limit
        with self.lock:
            reading = channel.reads.get(what)
            if reading is not None:
                return reading
            reading = channel.reads[what] = Future()
        self._ask(partial(self._read_for, channel, what, reading, time.monotonic()))
        return reading

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
        with self.lock:
            found = self.channels.get(channel)
            ring = None if found is None else found.ring
            if found is None:
                return
            if ring is None or ring.epoch != epoch:  # None: it may be newer than the position that is being read
                self._catch_up_soon(found)
                return
            top = ring.top
            has_hole = ring.add(entries)
            if ring.top > top:
                self._count_received(ring.top - top)
                self.lag = max(0.0, time.time() - entries[-1].time)
                found.wake()
            if has_hole:
                self._catch_up_soon(found)

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
            observers = [waiter for waiter in found.by_group.get(None, ()) if isinstance(waiter, Observer)]
        for observer in observers:
            observer.changed()

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
                "listeners": sum(channel.listeners for channel in self.channels.values()),
                "channels": len(self.channels),
                "received": self.received_count,
                "lag": self.lag,
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

        def unwatch() -> None:
            with suppress(BrokerError):
                for channel in channels:
                    self._engine.unwatch(channel.key)

        self._worker.finish(unwatch if channels else None)

    # what the worker does, or, if the engine never blocks, the caller

    def _ask(self, job: Callable[[], None]) -> None:
        if self._engine.blocks:
            self._worker.submit(job)
            return
        with self._asking:
            job()

    def _check_engine(self, asked: float) -> None:
        """Raise the engine's failure again if it came after `asked`: callers share one timeout."""
        at, error = self._failure
        if asked < at:
            raise BrokerUnavailableError(error)

    def _note_failure(self, error: BaseException) -> None:
        if isinstance(error, BrokerUnavailableError):
            self._failure = time.monotonic(), str(error)

    def _open(self, channel: Channel, opened: Future[None], asked: float) -> None:
        try:
            self._check_engine(asked)
            self._engine.watch(channel.key)
            [position] = self._engine.positions([channel.key]).values()
            with self.lock:
                channel.ring = Ring(channel.name, *position)
                self._check_later()
        except BaseException as error:  # each who waits for it raises it
            self._note_failure(error)
            self._refuse(channel, opened, error)
            if not isinstance(error, Exception):  # what interrupts this thread is for this thread, too
                raise
            return
        opened.set_result(None)

    def _refuse(self, channel: Channel, opened: Future[None], error: BaseException) -> None:
        with self.lock:
            channel.opened = None  # the next listener tries again
        opened.set_exception(error)

    def _read_for(self, channel: Channel, what: tuple[int | None, int], reading: Future[Read], asked: float) -> None:
        try:
            self._check_engine(asked)
            page = self._engine.read(channel.key, *what)
        except BaseException as error:  # noqa: BLE001  # each who waits for it raises it
            self._note_failure(error)
            with self.lock:
                channel.reads.pop(what, None)
            reading.set_exception(error)
            return
        with self.lock:
            channel.reads.pop(what, None)
            ring = channel.ring
            if ring is None or ring.epoch != page.epoch:
                ring = self._replace(channel, Position(page.epoch, page.top))
            records = ring.records_of(page)
            ring.prepend(records)
        reading.set_result(Read(page, records, ring))

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
