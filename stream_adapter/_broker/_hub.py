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
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import NamedTuple, TypeVar

from stream_adapter._log import logger
from stream_adapter.engines import Engine, Entry, Page, Position, Receiver
from stream_adapter.errors import BrokerError, BrokerUnavailableError

from ._ids import ChannelName
from ._records import Record
from ._ring import Ring
from ._waiters import LoopGroup, LoopWaiter, Observer, ThreadWaiter, Waiter
from ._worker import Worker

__all__ = ["MAX_REPLAY", "Channel", "Hub", "Read"]

T = TypeVar("T")

MAX_REPLAY = 1000  # events of a history that one request is sent
LINGER = 5.0  # seconds that a channel without listeners is watched
CHECK_SECONDS = 30.0  # between two comparisons of all positions
_RETRY_SECONDS = 1.0  # after the engine could not be asked


class Read(NamedTuple):
    """A part of a channel's history."""

    page: Page
    records: list[Record]
    ring: Ring


class Channel:
    """What the listeners of one channel share.

    Attributes:
        ring: its newest events; None until its position is known.
        by_group: its waiters, by their loop; None for those of threads.
        listeners: how many there are.
        opened: done when it is watched and `ring` is there.
    """

    __slots__ = ("by_group", "key", "listeners", "name", "opened", "reads", "ring")

    def __init__(self, name: ChannelName) -> None:
        self.name: ChannelName = name
        self.key: str = name.key
        self.ring: Ring | None = None
        self.by_group: dict[LoopGroup | None, dict[Waiter, None]] = {}
        self.listeners: int = 0
        self.opened: Future[None] | None = None
        self.reads: dict[tuple[int | None, int], Future[Read]] = {}

    def wake(self) -> None:
        """Wake its listeners; under the hub's lock."""
        for group, waiters in self.by_group.items():
            if group is not None:
                group.schedule(self)
            else:
                for waiter in waiters:
                    waiter.wake()


class Hub(Receiver):
    """The listeners of one process to one broker's channels.

    Args:
        engine: where the channels are.
        prefix: the broker's, for the log.
    """

    def __init__(self, engine: Engine, prefix: str) -> None:
        self._engine = engine
        self._prefix = prefix
        self.lock: AbstractContextManager[object] = (
            threading.RLock()
        )  # reentrant: a signal handler may publish, which wakes listeners
        self._asking = threading.RLock()
        self._worker = Worker(f"stream_adapter.broker.{prefix}")
        self.channels: dict[str, Channel] = {}
        self._groups: dict[asyncio.AbstractEventLoop, LoopGroup] = {}
        self._is_checking = self._is_rechecking = False
        self._failure: tuple[float, str] = (float("-inf"), "")  # the engine's last: when, and why; the worker's
        self._catching_up: set[str] = set()
        self.is_closed: bool = False
        self.is_disconnected: bool = False
        self.resets: dict[str, int] = {}
        self.reconnects: int = 0
        self.received_count: int = 0
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
            opened = channel.opened
            if opened is None:
                opened = channel.opened = Future()
                is_first = True
            else:
                is_first = False
        if is_first and self.is_disconnected:  # asking takes as long as the engine's timeout, and nothing is sent then
            self._refuse(channel, opened, BrokerUnavailableError("the connection to the broker's engine was lost"))
        elif is_first:
            self._ask(partial(self._open, channel, opened, time.monotonic()))
        return channel, opened

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
        self._worker.after(_RETRY_SECONDS * random.uniform(0.5, 1.5), partial(self._wake, channel))  # noqa: S311

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
                self.received_count += ring.top - top
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
        with self.lock:
            was, self.is_disconnected = self.is_disconnected, True
        if not was:
            logger.warning(
                "broker %s: the connection was lost (%s); listeners stay, reconnecting", self._prefix, _named(error)
            )

    def reconnected(self) -> None:
        """Compare the positions of all channels."""
        with self.lock:
            was, self.is_disconnected = self.is_disconnected, False
            self.reconnects += 1
        if was:
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
        except BaseException as error:  # noqa: BLE001  # each who waits for it raises it
            self._note_failure(error)
            self._refuse(channel, opened, error)
            return
        with self.lock:
            channel.ring = Ring(channel.name, *position)
            self._check_later()
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

    def _replace(self, channel: Channel, position: Position, *, is_restart: bool = False) -> Ring:
        """Begin a ring at a position; listeners of the old one find themselves behind, or in another epoch."""
        ring = channel.ring = Ring(channel.name, *position, is_restart=is_restart)
        channel.wake()
        return ring

    def _catch_up_soon(self, channel: Channel) -> None:
        """Ask the worker to read what the ring lacks. Call it under the lock."""
        if channel.key not in self._catching_up:
            self._catching_up.add(channel.key)
            self._worker.submit(partial(self._catch_up, channel))

    def _catch_up(self, channel: Channel) -> None:
        with self.lock:
            self._catching_up.discard(channel.key)
        while True:
            ring = channel.ring
            if ring is None or self.channels.get(channel.key) is not channel:
                return
            try:
                page = self._engine.read(channel.key, ring.top, MAX_REPLAY)
            except BrokerError as error:
                self._log_trouble(error)
                self._worker.after(_RETRY_SECONDS, partial(self._catch_up, channel))
                return
            with self.lock:
                if channel.ring is ring and not self._splice(channel, ring, page):
                    return

    def _splice(self, channel: Channel, ring: Ring, page: Page) -> bool:
        """Append a page to a ring; return True if there is more to read."""
        if page.epoch != ring.epoch:
            self._replace(channel, Position(page.epoch, page.top))
            return False
        if page.entries and page.entries[0].offset > ring.top + 1:  # a hole that stays
            ring = self._replace(channel, Position(page.epoch, page.entries[0].offset - 1))
        elif not page.entries and page.top > ring.top:
            ring = self._replace(channel, Position(page.epoch, page.top))
        top = ring.top
        ring.add(page.entries)
        self.received_count += ring.top - top
        channel.wake()
        return bool(page.entries) and ring.top < page.top

    def _check_later(self) -> None:
        """Schedule a comparison of all positions. Call it under the lock."""
        if not self._is_checking:
            self._is_checking = True
            self._worker.after(CHECK_SECONDS * random.uniform(0.75, 1.25), self._check_in_turn)  # noqa: S311

    def _check_in_turn(self) -> None:
        self._check_all()
        with self.lock:
            self._is_checking = False
            if self.channels:
                self._check_later()

    def _check_again(self) -> None:
        with self.lock:
            self._is_rechecking = False
        self._check_all()

    def _check_all(self) -> None:
        """Compare the positions of all channels, in one round trip, and read what is missing."""
        with self.lock:
            rings = {key: (channel, channel.ring) for key, channel in self.channels.items() if channel.ring is not None}
            tops = {key: ring.top for key, (_, ring) in rings.items()}
        if not rings:
            return
        try:
            positions = self._engine.positions(list(rings))
        except BrokerError as error:
            self._log_trouble(error)
            with self.lock:
                if not self.is_disconnected and not self._is_rechecking:  # else `reconnected` has it done again
                    self._is_rechecking = True
                    self._worker.after(_RETRY_SECONDS, self._check_again)
            return
        with self.lock:
            for key, (channel, ring) in rings.items():
                epoch, top = positions[key]
                if channel.ring is not ring:
                    continue
                if epoch != ring.epoch or top < tops[key]:  # the store has lost what was published
                    self._replace(channel, Position(epoch, top), is_restart=True)
                elif top > ring.top:
                    self._catch_up_soon(channel)

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

    def _log_trouble(self, error: BaseException) -> None:
        level = logging.DEBUG if self.is_disconnected else logging.WARNING
        logger.log(level, "broker %s: %s; trying again", self._prefix, _named(error))


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
