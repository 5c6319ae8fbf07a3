"""One client of a run: it reads from its place to the run's end, which every client is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

from stream_adapter._broker._channel import MAX_REPLAY, Channel, Read
from stream_adapter._broker._ids import ChannelName
from stream_adapter._broker._records import Record
from stream_adapter._broker._ring import Ring
from stream_adapter._broker._steps import BATCH, FOLLOW, WAIT, Step
from stream_adapter._broker._waiters import Waiter
from stream_adapter.errors import BrokerUnavailableError
from stream_adapter.formats._published import Ending, Item, Opening

from ._claiming import Place
from ._ending import ending_of, is_ending
from ._watchdog import Watchdog

__all__ = ["Follower", "RunOpen"]


class RunOpen(Opening):
    """The opening of a run's stream, which sends its head at once. It is empty, because a run can be replayed."""

    __slots__ = ()

    def sse(self) -> bytes:
        """Return nothing."""
        return b""

    def sse_part(self) -> bytes:
        """Return nothing."""
        return b""

    def json(self, key: object, encode: object) -> bytes:
        """Return nothing."""
        del key, encode
        return b""

    def chunk(self) -> str:
        """Return nothing."""
        return ""


class Follower:
    """A client's place in a run, and the steps from there.

    Args:
        watchdog: looks after the run's lease, for this process's hub.
        name: its channel.
        place: after which it goes on.
        waiter: how it is woken.
        on_end: called with the end, when it is handed on.
    """

    __slots__ = (
        "_channel",
        "_epoch",
        "_hub",
        "_name",
        "_offset",
        "_on_end",
        "_ring",
        "_state",
        "_waiter",
        "_watchdog",
    )

    def __init__(
        self,
        watchdog: Watchdog,
        name: ChannelName,
        place: Place,
        waiter: Waiter,
        on_end: Callable[[Ending], object],
    ) -> None:
        self._hub = watchdog.hub
        self._watchdog = watchdog
        self._name = name
        self._state = place.state
        self._epoch = place.state.epoch
        self._offset = place.offset
        self._waiter = waiter
        self._on_end = on_end
        self._channel: Channel | None = None  # that was entered
        self._ring: Ring | None = None  # that is read now

    def steps(self) -> Generator[Step, Any, None]:
        """Enter the channel, read what is there, and follow it to the run's end. Asked again, they follow the run.

        Raises:
            BrokerUnavailableError: the engine cannot be asked in the beginning, or the broker is closed.
        """
        channel = self._channel
        if channel is None:
            channel, opened = self._hub.enter(self._name, self._waiter, self._epoch)
            self._channel = channel
            yield opened
            if self._state.status == "running":
                self._watchdog.watch(channel, self._state)
            yield [RunOpen()]
        yield from self._follow(channel)

    def close(self) -> None:
        """Leave the channel. Does nothing the second time."""
        channel, self._channel = self._channel, None
        if channel is not None:
            self._hub.leave(channel, self._waiter)

    def newest(self) -> Sequence[Item] | None:
        """Return the items that came in the ring; None if the steps must say what is next."""
        ring = self._ring
        if ring is None or self._hub.is_closed:
            return None
        records = ring.after(self._offset, BATCH)
        if not records or is_ending(last := records[-1]):
            return None
        self._offset = last.entry.offset
        return records

    def _follow(self, channel: Channel) -> Generator[Step, Any, None]:
        ring = self._ring = self._ring or channel.ring
        while True:
            records = self._in_ring(ring)
            if not records and ring is not channel.ring:  # one that was replaced may still hold the end of an older run
                ring = self._ring = channel.ring
                records = self._in_ring(ring)
            if not records:
                if self._hub.is_closed:
                    raise BrokerUnavailableError("the broker was closed before the end of the run")
                if self._watchdog.is_given_up(channel.key, self._epoch):
                    yield [self._lost()]
                    return
                if ring is not None and ring.epoch == self._epoch and ring.top <= self._offset:
                    yield FOLLOW
                    continue
                read = yield from self._read(channel)
                if read is None:
                    continue
                if not read:
                    yield [self._lost()]
                    return
                records = read
            items, ending = self._items_of(records)
            yield items
            if ending is not None:
                return

    def _in_ring(self, ring: Ring | None) -> list[Record]:
        return [] if ring is None or ring.epoch != self._epoch else ring.after(self._offset, BATCH)

    def _read(self, channel: Channel) -> Generator[Step, Any, list[Record] | None]:
        """Read what follows; nothing if the run is there no more, None if it must be looked at again."""
        try:
            read: Read = yield self._hub.read(channel, self._offset, MAX_REPLAY)
        except BrokerUnavailableError:
            self._hub.wake_later(channel)
            yield WAIT
            return None
        if read.page.epoch != self._epoch:
            return []
        if read.records:
            return read.records
        if read.page.top > self._offset:  # what was stored is there no more
            return []
        if read.ring.top > self._offset:  # it has come by now
            return None
        yield WAIT
        return None

    def _items_of(self, records: list[Record]) -> tuple[list[Item], Ending | None]:
        self._offset = records[-1].entry.offset
        ending = ending_of(records[-1])
        if ending is None:
            return list(records), None
        self._on_end(ending)
        return [*records[:-1], ending], ending

    def _lost(self) -> Ending:
        """Return the end of a run that the store does not have any more, or cannot be asked for.

        Its id is that of the last item: the client may ask again.
        """
        ending = Ending("lost", self._name.id_of(self._epoch, self._offset), time.time())
        self._on_end(ending)
        return ending
