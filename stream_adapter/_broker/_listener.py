"""One subscription, step by step, without I/O: a generator that yields items, and what to wait for.

Its driver, sync or async, runs in the listener's own thread or loop (`_subscription.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from stream_adapter.engines import Position
from stream_adapter.errors import BrokerUnavailableError, GoneError
from stream_adapter.formats._published import Item

from ._channel import MAX_REPLAY, Channel, Read
from ._hub import Hub
from ._ids import ChannelName, cursors_of
from ._records import Control, Delivery, Record, StreamOpen
from ._ring import Ring
from ._steps import BATCH, FOLLOW, WAIT, Call, Step
from ._track import Reason, Track
from ._waiters import Waiter

__all__ = ["Listener", "OnGap", "Options"]

OnGap: TypeAlias = Literal["reset", "snapshot", "gone"]

_Steps: TypeAlias = Generator[Step, Any, Any]

_PATIENCE = 5.0  # seconds that a client which would not come back after a refusal waits for the engine


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a subscription, checked."""

    names: tuple[ChannelName, ...]
    since: str | None
    replay: int | None
    snapshot: Callable[[], Any] | None
    on_gap: OnGap


class Listener:
    """A subscription that has begun.

    Args:
        hub: this process's.
        options: what it was asked for.
        cursor: the client's, or the caller's `since`; None: it has none.
        waiter: how it is woken.
        is_patient: whether it waits some seconds for an engine that is away, in place of being refused at once.
    """

    __slots__ = (
        "_cursor",
        "_entered",
        "_follows",
        "_hub",
        "_is_single",
        "_options",
        "_patience",
        "_tracks",
        "_waiter",
    )

    def __init__(
        self, hub: Hub, options: Options, cursor: str | None, waiter: Waiter, *, is_patient: bool = False
    ) -> None:
        self._hub = hub
        self._options = options
        self._cursor = cursor
        self._waiter = waiter
        self._patience = _PATIENCE if is_patient else 0.0
        self._tracks = tuple(map(Track, options.names))
        self._is_single = len(self._tracks) == 1
        self._entered = 0  # channels, of those of the tracks
        self._follows = False  # has caught up

    def steps(self) -> Generator[Step, Any, None]:
        """Enter the channels, catch up, and follow them. Asked again, they follow the channels.

        Raises:
            GoneError: `on_gap` is "gone", and there is one.
            BrokerUnavailableError: the engine cannot be asked.
        """
        if not self._follows:
            yield from self._enter()
            yield from self._begin()
            self._follows = True
        yield from self._follow()

    def _enter(self) -> _Steps:
        openings: list[Future[None]] = []
        for track in self._tracks:
            track.channel, opened = self._hub.enter(track.name, self._waiter)
            self._entered += 1
            openings.append(opened)
        for track, opened in zip(self._tracks, openings, strict=True):
            yield from self._wait_open(track.channel, opened)

    def close(self) -> None:
        """Leave the channels. Does nothing the second time."""
        entered, self._entered = self._tracks[: self._entered], 0
        for track in entered:
            self._hub.leave(track.channel, self._waiter)

    def _wait_open(self, channel: Channel, opened: Future[None]) -> _Steps:
        until = time.monotonic() + self._patience
        while True:
            try:
                return (yield opened)
            except BrokerUnavailableError:
                if self._hub.is_closed or time.monotonic() >= until:
                    raise
            self._hub.wake_later(channel)
            yield WAIT
            opened = self._hub.opening(channel)

    def newest(self) -> Sequence[Item] | None:
        """Return the records that came in the one channel; None if the steps must say what is next."""
        track = self._tracks[0]
        ring = track.ring
        if track.channel.ring is not ring or self._hub.is_closed:
            return None
        records = ring.after(track.offset, BATCH)
        if not records:
            return None if ring.top > track.offset else records
        track.offset = records[-1].entry.offset
        return records

    def _begin(self) -> _Steps:
        if self._cursor is None:
            yield from self._begin_without_cursor()
        else:
            yield from self._resume(self._cursor)
        for track in self._tracks:
            records, track.backlog = track.backlog, ()
            for start in range(0, len(records), BATCH):
                yield self._deliveries(track, records[start : start + BATCH])

    def _begin_without_cursor(self) -> _Steps:
        limit = self._options.replay
        if limit is None:
            limit = MAX_REPLAY if self._options.since == "earliest" else 0
        for track in self._tracks:
            ring = track.current_ring()
            track.stand(Position(ring.epoch, ring.top), ring)
            if limit:
                read: Read = yield self._hub.read(track.channel, None, limit)
                track.stand(Position(read.page.epoch, read.page.top - len(read.records)), read.ring)
                track.backlog = read.records
        has_snapshot = self._options.snapshot is not None
        yield [StreamOpen(self._id, None if has_snapshot else self._id)]
        if has_snapshot:
            yield from self._send_snapshot()

    def _resume(self, cursor: str) -> _Steps:
        for track, position in zip(self._tracks, cursors_of(cursor, self._options.names), strict=True):
            yield from self._resume_channel(track, position)
        if self._options.on_gap == "gone" and any(track.reason is not None for track in self._tracks):
            raise GoneError("the events after the client's cursor are no longer stored; load the state again")
        yield [StreamOpen()]
        yield from self._fill_gaps()

    def _resume_channel(self, track: Track, position: Position | None) -> _Steps:
        ring = track.current_ring()
        if position is None:
            track.reason = "unknown"
            return
        track.stand(position, ring)
        if ring.epoch == position.epoch and ring.first <= position.offset + 1 <= ring.top + 1:
            return  # the ring has it all
        read: Read = yield self._hub.read(track.channel, position.offset, MAX_REPLAY)
        self._take_history(track, read)

    def _take_history(self, track: Track, read: Read, late: Reason = "trimmed") -> None:
        """Continue with the history after a track's place, or record why it is not complete."""
        page = read.page
        if page.epoch != track.epoch:
            track.reason = "epoch"
        elif page.top < track.offset:
            track.reason = "unknown"
        elif page.earliest > track.offset + 1 or track.offset + len(read.records) < page.top:
            track.reason = late
        else:
            track.backlog = read.records
        track.ring = read.ring

    def _follow(self) -> _Steps:
        while not self._hub.is_closed:
            is_idle = True
            for track in self._tracks:
                ring = track.current_ring()
                if ring is not track.ring or ring.epoch != track.epoch:
                    yield from self._change_ring(track, ring)
                elif ring.top <= track.offset:  # less: what was read is still to arrive
                    continue
                elif records := ring.after(track.offset, BATCH):
                    yield self._deliveries(track, records)
                elif ring.first > track.offset + 1:
                    yield from self._catch_up(track, "slow")
                is_idle = False
            if is_idle:
                yield FOLLOW if self._is_single else WAIT

    def _change_ring(self, track: Track, ring: Ring) -> _Steps:
        """Continue in the ring that replaced a broken one."""
        track.ring = ring
        if ring.epoch != track.epoch or ring.is_restart:
            track.reason = "epoch"
            yield from self._fill_gaps()
        elif ring.floor > track.offset + 1:
            yield from self._catch_up(track, "trimmed")

    def _catch_up(self, track: Track, late: Reason) -> _Steps:
        """Read history again where the ring is ahead of the listener."""
        try:
            read: Read = yield self._hub.read(track.channel, track.offset, MAX_REPLAY)
        except BrokerUnavailableError:
            self._hub.wake_later(track.channel)
            yield WAIT
            return
        self._take_history(track, read, late)
        if track.reason is None:
            records, track.backlog = track.backlog, ()
            for start in range(0, len(records), BATCH):
                yield self._deliveries(track, records[start : start + BATCH])
        else:
            yield from self._fill_gaps()

    def _fill_gaps(self) -> _Steps:
        """Tell the client of each gap, or send it the state."""
        gaps = [track for track in self._tracks if track.reason is not None]
        if not gaps:
            return
        earliest: dict[Track, str | None] = {}
        for track in gaps:
            read: Read = yield from self._read_patiently(track)
            page = read.page
            track.stand(Position(page.epoch, page.top), read.ring)
            earliest[track] = track.name.id_of(page.epoch, page.earliest) if page.earliest <= page.top else None
        sends_snapshot = self._options.on_gap == "snapshot"
        for track in gaps:
            reason, track.reason = track.reason, None
            self._hub.count_reset(str(reason))
            if not sends_snapshot:
                data = {"reason": reason, "earliest": earliest[track], "position": self._id}
                channel = None if self._is_single else track.name.public
                yield [Control("stream-reset", data, self._id, time.time(), channel)]
        if sends_snapshot:
            yield from self._send_snapshot()

    def _read_patiently(self, track: Track) -> _Steps:
        """Read a channel's position; wait while the engine cannot be asked."""
        while True:
            try:
                return (yield self._hub.read(track.channel, None, 0))
            except BrokerUnavailableError:
                self._hub.wake_later(track.channel)
                yield WAIT
                if self._hub.is_closed:
                    raise

    def _send_snapshot(self) -> _Steps:
        """Send the state. It is loaded after the place was noted, so that what follows the place is in no hole."""
        assert self._options.snapshot is not None  # noqa: S101  # it was checked
        for track in self._tracks:  # what is known of by now, the state has
            ring = track.ring
            known = track.backlog[-1].entry.offset if track.backlog else track.offset
            if ring.epoch == track.epoch:
                known = max(known, ring.top)
            track.stand(Position(track.epoch, known), ring)
        position = self._id
        state: Any = yield Call(self._options.snapshot)
        yield [Control("snapshot", state, position, time.time())]

    def _deliveries(self, track: Track, records: Sequence[Record]) -> list[Item]:
        """Return what is sent of records, and move the listener's place behind them."""
        if self._is_single:
            track.offset = records[-1].entry.offset
            return list(records)
        deliveries: list[Item] = []
        for record in records:
            track.offset = record.entry.offset
            deliveries.append(Delivery(record, self._id))
        return deliveries

    @property
    def _id(self) -> str:
        return "~".join(track.id for track in self._tracks)
