"""The suite that every engine passes, those of this library and those that you write.

    class TestMyEngine(EngineConformance):
        def make_engine(self, clock):
            return MyEngine(clock=clock)

It uses no fixtures: `make_engine` is called for each test, and what it returns is closed after it.
"""

# ruff: noqa: S101  # a test suite: it asserts, and the names of its tests are sentences

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

from stream_adapter.engines import KEY_SECONDS, Engine, Entry, Frame, History, Page, Position, Receiver, RunState
from stream_adapter.errors import BrokerUnavailableError, FencedError

__all__ = ["EngineConformance", "ManualClock", "RecordingReceiver"]

_WAIT = 10.0  # seconds that a report may take on a busy machine
_ODD_NAMES = ("a b", "{tag}:x", "x}{y", "*", "[a-z]?", "ünï:cödé", "'; drop table", "%s", "\\x00", "n" * 330)


class ManualClock:
    """A clock in seconds since 1970, which the test advances."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class RecordingReceiver(Receiver):
    """Keeps what an engine reports, spliced by offset as a broker does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._news = threading.Condition()
        self._changed: set[str | None] = set()
        self.entries: dict[str, dict[tuple[str, int], Entry]] = {}
        self.arrived: list[tuple[str, int]] = []  # channel and offset, in the order of the reports
        engine.bind(self)

    def received(self, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        """Keep entries."""
        with self._news:
            for entry in entries:
                self.entries.setdefault(channel, {})[epoch, entry.offset] = entry
                self.arrived.append((channel, entry.offset))
            self._news.notify_all()

    def changed(self, channel: str | None = None) -> None:
        """Record that a channel must be read again."""
        with self._news:
            self._changed.add(channel)
            self._news.notify_all()

    def disconnected(self, error: BaseException) -> None:
        """Do nothing."""

    def reconnected(self) -> None:
        """Read every channel again."""
        self.changed(None)

    def wait_for(self, channel: str, offset: int) -> list[bytes]:
        """Wait until an entry was reported, and return the payloads of the channel's newest epoch in their order."""

        def wanted() -> bool:
            return max((at for _, at in self.entries.get(channel, {})), default=0) >= offset

        with self._news:
            while not wanted():
                heard = self._news.wait_for(lambda: self._changed or wanted(), _WAIT)
                assert heard, f"{channel}: entry {offset} was not reported within {_WAIT:g} s"
                if self._changed:
                    self._changed.clear()
                    self._read(channel)
            return [entry.payload for _, entry in sorted(self.entries[channel].items(), key=lambda item: item[0][1])]

    def wait_for_change(self, channel: str) -> None:
        """Wait until the engine reports a change of a channel."""
        with self._news:
            changed = lambda: not self._changed.isdisjoint({channel, None})  # noqa: E731
            assert self._news.wait_for(changed, _WAIT), f"{channel}: no change was reported within {_WAIT:g} s"

    def _read(self, channel: str) -> None:
        self._news.release()
        try:
            page = self._engine.read(channel, 0, 1000)
        finally:
            self._news.acquire()
        for entry in page.entries:
            self.entries.setdefault(channel, {})[page.epoch, entry.offset] = entry


def _raises(kind: type[BaseException], act: Callable[[], object]) -> None:
    with suppress(kind):
        result = act()
        raise AssertionError(f"expected {kind.__name__}, got {result!r}")


def _payloads(page: Page) -> list[bytes]:
    return [entry.payload for entry in page.entries]


class EngineConformance:
    """The promises of an engine, as tests. Derive a class named `Test…` from it and define `make_engine`.

    Attributes:
        carries_runs: False leaves out the tests of `claim`, `renew`, `finish`, `cancel` and `run_state`.
    """

    carries_runs: bool = True

    def make_engine(self, clock: ManualClock) -> Engine:
        """Make an engine on a store of its own, with `clock` as its time."""
        raise NotImplementedError("EngineConformance: define make_engine(clock)")

    def make_peer(self, engine: Engine, clock: ManualClock) -> Engine | None:
        """Make an engine on the store of `engine`, as in another process; None if the store is not shared."""
        del engine, clock
        return None

    def advance(self, seconds: float) -> None:
        """Let time pass. An engine whose time is another's overrides it."""
        self.clock.advance(seconds)

    def setup_method(self, *_: Any) -> None:
        """Make the engine of a test."""
        self.clock: ManualClock = ManualClock()
        self.engine: Engine = self.make_engine(self.clock)
        self.channel: str = f"conformance:{uuid4().hex[:12]}"
        self._peers: list[Engine] = []

    def teardown_method(self, *_: Any) -> None:
        """Close it."""
        for engine in (*self._peers, self.engine):
            engine.close()

    def peer(self) -> Engine:
        """Return the engine of another process, or this one if the store is not shared."""
        peer = self.make_peer(self.engine, self.clock)
        if peer is None:
            return self.engine
        self._peers.append(peer)
        return peer

    def append(self, *payloads: bytes, channel: str | None = None, history: History | None = None) -> list[Position]:
        """Append payloads in one step."""
        frames = [Frame(payload) for payload in payloads]
        return self.engine.append_many(channel or self.channel, frames, history=history or History())

    # positions and order

    def test_new_channel_has_an_epoch_and_no_entries(self) -> None:
        page = self.engine.read(self.channel, None, 10)
        assert (page.top, page.earliest, page.entries) == (0, 1, ())
        assert page.epoch
        assert all(letter.isalnum() or letter in "_-" for letter in page.epoch)
        assert len(page.epoch) <= 32

    def test_position_of_an_empty_channel_is_that_which_appends_go_on_from(self) -> None:
        page = self.engine.read(self.channel, None, 0)
        assert self.append(b"first") == [Position(page.epoch, 1)]

    def test_offsets_begin_at_one_and_have_no_holes(self) -> None:
        positions = [*self.append(b"a"), *self.append(b"b", b"c"), *self.append(b"d")]
        assert [position.offset for position in positions] == [1, 2, 3, 4]
        assert len({position.epoch for position in positions}) == 1
        page = self.engine.read(self.channel, 0, 10)
        assert [(entry.offset, entry.payload) for entry in page.entries] == [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")]

    def test_two_channels_have_different_epochs_and_entries(self) -> None:
        other = f"{self.channel}:other"
        [mine], [others] = self.append(b"mine"), self.append(b"others", channel=other)
        assert mine.epoch != others.epoch
        assert _payloads(self.engine.read(self.channel, 0, 10)) == [b"mine"]
        assert _payloads(self.engine.read(other, 0, 10)) == [b"others"]

    def test_threads_that_append_at_once_agree_on_one_order(self) -> None:
        def write(n: int) -> tuple[int, bytes]:
            return self.append(b"%d" % n)[0].offset, b"%d" % n

        with ThreadPoolExecutor(8) as pool:
            written = list(pool.map(write, range(80)))
        page = self.engine.read(self.channel, 0, 100)
        assert [(entry.offset, entry.payload) for entry in page.entries] == sorted(written)
        assert [entry.offset for entry in page.entries] == list(range(1, 81))

    def test_payloads_are_any_bytes(self) -> None:
        payloads = [b"", b"\0\r\n\xff\xfe", bytes(range(256)), b"x" * (1 << 20)]
        self.append(*payloads, history=History(bytes=1 << 24))
        assert _payloads(self.engine.read(self.channel, 0, 10)) == payloads

    def test_odd_channel_names_keep_apart(self) -> None:
        for name in _ODD_NAMES:
            self.append(name.encode(), channel=name)
        for name in _ODD_NAMES:
            assert _payloads(self.engine.read(name, 0, 10)) == [name.encode()]

    def test_entries_carry_the_time_of_their_append(self) -> None:
        self.append(b"a")
        self.advance(2)
        self.append(b"b")
        first, second = self.engine.read(self.channel, 0, 10).entries
        assert 1.5 <= second.time - first.time <= 10

    # reading

    def test_read_returns_the_oldest_after_a_cursor_and_the_newest_without(self) -> None:
        self.append(*(b"%d" % n for n in range(1, 8)))
        assert _payloads(self.engine.read(self.channel, 2, 3)) == [b"3", b"4", b"5"]
        assert _payloads(self.engine.read(self.channel, None, 2)) == [b"6", b"7"]
        assert _payloads(self.engine.read(self.channel, 7, 3)) == []
        page = self.engine.read(self.channel, None, 0)
        assert (page.top, page.earliest, page.entries) == (7, 1, ())

    def test_read_past_the_top_returns_nothing(self) -> None:
        self.append(b"a")
        page = self.engine.read(self.channel, 1 << 40, 10)
        assert (page.top, page.entries) == (1, ())

    def test_positions_of_several_channels(self) -> None:
        other = f"{self.channel}:other"
        [last] = self.append(b"a", b"b")[1:]
        empty = self.engine.read(other, None, 0)
        found = self.engine.positions([self.channel, other])
        assert dict(found) == {self.channel: last, other: Position(empty.epoch, 0)}

    # publishing once

    def test_key_is_stored_once_and_returns_the_first_position(self) -> None:
        frames = [Frame(b"a", "k"), Frame(b"b", "k"), Frame(b"c", "other"), Frame(b"d")]
        first = self.engine.append_many(self.channel, frames, history=History())
        again = self.engine.append_many(self.channel, frames[:1], history=History())
        assert [position.offset for position in first] == [1, 1, 2, 3]
        assert again == first[:1]
        assert _payloads(self.engine.read(self.channel, 0, 10)) == [b"a", b"c", b"d"]

    def test_key_belongs_to_its_channel(self) -> None:
        other = f"{self.channel}:other"
        for channel in (self.channel, other):
            self.engine.append_many(channel, [Frame(b"a", "k")], history=History())
        assert _payloads(self.engine.read(other, 0, 10)) == [b"a"]

    def test_key_can_be_used_again_after_five_minutes(self) -> None:
        history = History(age=3600)
        self.engine.append_many(self.channel, [Frame(b"a", "k")], history=history)
        self.advance(KEY_SECONDS - 5)
        self.engine.append_many(self.channel, [Frame(b"b", "k")], history=history)
        self.advance(10)
        self.engine.append_many(self.channel, [Frame(b"c", "k")], history=history)
        assert _payloads(self.engine.read(self.channel, 0, 10)) == [b"a", b"c"]

    # trimming

    def test_history_is_trimmed_to_its_count(self) -> None:
        for n in range(400):
            self.append(b"%d" % n, history=History(count=10))
        page = self.engine.read(self.channel, 0, 1000)
        assert page.top == 400
        assert page.earliest > 1, "nothing was trimmed"
        assert page.earliest <= 391, "more was trimmed than was asked for"
        assert [entry.offset for entry in page.entries] == list(range(page.earliest, 401))

    def test_history_is_trimmed_to_its_bytes_and_keeps_the_newest(self) -> None:
        for _ in range(5):
            self.append(b"x" * 1000, history=History(bytes=2500))
        page = self.engine.read(self.channel, 0, 10)
        assert [entry.offset for entry in page.entries] == [4, 5]
        self.append(b"y" * 5000, history=History(bytes=2500))
        assert _payloads(self.engine.read(self.channel, 0, 10)) == [b"y" * 5000]

    def test_each_entry_expires_by_its_own_age(self) -> None:
        history = History(age=60)
        self.append(b"old", history=history)
        self.advance(40)
        self.append(b"new", history=history)
        self.advance(30)
        page = self.engine.read(self.channel, 0, 10)
        assert (page.top, page.earliest, _payloads(page)) == (2, 2, [b"new"])

    def test_epoch_and_offset_outlive_the_entries(self) -> None:
        [last] = self.append(b"a", history=History(age=60))
        self.advance(600)
        page = self.engine.read(self.channel, 0, 10)
        assert (page.epoch, page.top, page.earliest, page.entries) == (last.epoch, 1, 2, ())
        assert self.append(b"b") == [Position(last.epoch, 2)]

    # watching

    def test_watched_channel_is_reported_in_order_and_once(self) -> None:
        receiver = RecordingReceiver(self.engine)
        self.engine.watch(self.channel)
        publisher = self.peer()
        for n in range(20):
            publisher.append_many(self.channel, [Frame(b"%d" % n, f"k{n}")], history=History())
            publisher.append_many(self.channel, [Frame(b"twice", f"k{n}")], history=History())
        assert receiver.wait_for(self.channel, 20) == [b"%d" % n for n in range(20)]
        offsets = [offset for channel, offset in receiver.arrived if channel == self.channel]
        assert offsets == sorted(set(offsets))

    def test_reports_of_several_entries_come_whole(self) -> None:
        receiver = RecordingReceiver(self.engine)
        self.engine.watch(self.channel)
        self.peer().append_many(self.channel, [Frame(b"a"), Frame(b"b"), Frame(b"c")], history=History())
        assert receiver.wait_for(self.channel, 3) == [b"a", b"b", b"c"]

    def test_other_channels_are_not_reported(self) -> None:
        receiver = RecordingReceiver(self.engine)
        other, gone = f"{self.channel}:other", f"{self.channel}:gone"
        self.engine.watch(gone)
        self.engine.watch(self.channel)
        self.engine.unwatch(gone)
        for channel in (other, gone, self.channel):
            self.peer().append_many(channel, [Frame(b"a")], history=History())
        receiver.wait_for(self.channel, 1)
        assert {channel for channel, _ in receiver.arrived} <= {self.channel}

    def test_watching_again_after_unwatching_reports(self) -> None:
        receiver = RecordingReceiver(self.engine)
        self.engine.watch(self.channel)
        self.engine.unwatch(self.channel)
        self.engine.watch(self.channel)
        self.peer().append_many(self.channel, [Frame(b"a")], history=History())
        assert receiver.wait_for(self.channel, 1) == [b"a"]

    def test_watching_before_reading_misses_nothing(self) -> None:
        receiver = RecordingReceiver(self.engine)
        publisher, count = self.peer(), 60
        started = threading.Event()

        def publish() -> None:
            for n in range(count):
                publisher.append_many(self.channel, [Frame(b"%d" % n)], history=History(count=1000))
                started.set()

        thread = threading.Thread(target=publish)
        thread.start()
        started.wait(_WAIT)
        self.engine.watch(self.channel)
        page = self.engine.read(self.channel, 0, 1000)
        thread.join()
        receiver.wait_for(self.channel, count) if page.top < count else None
        seen = {entry.offset for entry in page.entries} | {at for _, at in receiver.entries.get(self.channel, {})}
        assert seen == set(range(1, count + 1))

    # runs

    def test_claim_begins_one_run(self) -> None:
        if not self.carries_runs:
            return

        def claim(_: int) -> RunState:
            return self.engine.claim(self.channel, lease=15, retain=60)

        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(claim, range(20)))
        assert sum(claim.granted for claim in claims) == 1
        assert len({(claim.epoch, claim.token) for claim in claims}) == 1
        assert {claim.status for claim in claims} == {"running"}

    def test_run_appends_by_its_token_and_is_not_trimmed(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        short = History(count=5, age=1)
        for n in range(50):
            self.engine.append_many(self.channel, [Frame(b"%d" % n)], history=short, token=run.token)
        self.advance(10)
        page = self.engine.read(self.channel, 0, 1000)
        assert (page.epoch, page.earliest, page.top) == (run.epoch, 1, 50)
        assert len(page.entries) == 50

    def test_run_s_frame_whose_offset_is_there_is_not_stored_again(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)

        def append(*numbers: int) -> list[Position]:
            frames = [Frame(b"%d" % number, f"{run.epoch}.{number}") for number in numbers]
            return self.engine.append_many(self.channel, frames, history=History(), token=run.token)

        assert append(1, 2) == append(1, 2) == [Position(run.epoch, 1), Position(run.epoch, 2)]
        append(3)
        assert append(2, 3, 4)[-1] == Position(run.epoch, 4)  # of a late attempt
        page = self.engine.read(self.channel, 0, 10)
        assert [entry.payload for entry in page.entries] == [b"1", b"2", b"3", b"4"]

    def test_stale_token_is_refused_by_every_method(self) -> None:
        if not self.carries_runs:
            return
        old = self.engine.claim(self.channel, lease=15, retain=600)
        self.advance(20)
        assert self.engine.finish(self.channel, old.token, "lost").status == "lost"
        new = self.engine.claim(self.channel, lease=15, retain=600, restart=True)
        assert new.granted
        assert new.token > old.token
        assert new.epoch != old.epoch
        append = self.engine.append_many
        _raises(FencedError, lambda: append(self.channel, [Frame(b"x")], history=History(), token=old.token))
        _raises(FencedError, lambda: self.engine.renew(self.channel, old.token, lease=15))
        _raises(FencedError, lambda: self.engine.finish(self.channel, old.token, "done", [Frame(b"x")]))
        assert self.engine.read(self.channel, 0, 10).entries == ()

    def test_run_ends_with_its_last_frames_and_takes_no_more(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        done = self.engine.finish(self.channel, run.token, "done", [Frame(b"last"), Frame(b"end")])
        assert (done.status, done.epoch) == ("done", run.epoch)
        assert _payloads(self.engine.read(self.channel, 0, 10)) == [b"last", b"end"]
        append = self.engine.append_many
        _raises(FencedError, lambda: append(self.channel, [Frame(b"x")], history=History(), token=run.token))
        again = self.engine.claim(self.channel, lease=15, retain=60)
        assert (again.granted, again.status, again.epoch) == (False, "done", run.epoch)

    def test_lease_that_has_ended_is_lost_to_the_first_who_says_so(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        self.advance(10)
        self.engine.renew(self.channel, run.token, lease=15)
        self.advance(10)
        early = self.engine.finish(self.channel, run.token, "lost", [Frame(b"lost")])
        assert early.status == "running"
        assert self.engine.claim(self.channel, lease=15, retain=60).granted is False
        self.advance(10)
        assert self.engine.finish(self.channel, run.token, "lost", [Frame(b"lost")]).status == "lost"
        _raises(FencedError, lambda: self.engine.finish(self.channel, run.token, "lost", [Frame(b"lost")]))
        assert _payloads(self.engine.read(self.channel, 0, 10)) == [b"lost"]

    def test_cancel_is_seen_when_the_lease_is_renewed_and_never_by_another_run(self) -> None:
        if not self.carries_runs:
            return
        assert self.engine.cancel(self.channel, "none") is None
        run = self.engine.claim(self.channel, lease=15, retain=60)
        self.engine.cancel(self.channel, f"{run.epoch}x")
        assert self.engine.renew(self.channel, run.token, lease=15).cancelled is False
        self.engine.cancel(self.channel, run.epoch)
        assert self.engine.renew(self.channel, run.token, lease=15).cancelled is True
        self.engine.finish(self.channel, run.token, "cancelled")
        new = self.engine.claim(self.channel, lease=15, retain=60, restart=True)
        self.engine.cancel(self.channel, run.epoch)
        assert self.engine.renew(self.channel, new.token, lease=15).cancelled is False

    def test_cancel_and_finish_are_reported_to_watchers(self) -> None:
        if not self.carries_runs:
            return
        run = self.engine.claim(self.channel, lease=15, retain=60)
        receiver = RecordingReceiver(self.engine)
        self.engine.watch(self.channel)
        self.engine.cancel(self.channel, run.epoch)
        receiver.wait_for_change(self.channel)
        self.engine.finish(self.channel, run.token, "cancelled", [Frame(b"end")])
        assert receiver.wait_for(self.channel, 1) == [b"end"]

    def test_ended_run_is_kept_for_a_while_and_then_forgotten(self) -> None:
        if not self.carries_runs:
            return
        assert self.engine.run_state(self.channel) is None
        run = self.engine.claim(self.channel, lease=15, retain=60)
        self.engine.finish(self.channel, run.token, "done", [Frame(b"end")])
        self.advance(50)
        kept = self.engine.run_state(self.channel)
        assert kept is not None
        assert kept.status == "done"
        self.advance(20)
        assert self.engine.run_state(self.channel) is None
        assert self.engine.read(self.channel, 0, 10).entries == ()
        new = self.engine.claim(self.channel, lease=15, retain=60)
        assert new.granted
        assert new.epoch != run.epoch

    # async callers, and the end

    def test_async_methods_do_what_the_sync_ones_do(self) -> None:
        async def use() -> tuple[list[Position], Position]:
            [first] = await self.engine.aappend_many(self.channel, [Frame(b"a", "k")], history=History())
            again = await self.engine.aappend_many(self.channel, [Frame(b"b", "k"), Frame(b"c")], history=History())
            return [first, *again], (await self.engine.apositions([self.channel]))[self.channel]

        appended, last = asyncio.run(use())
        assert [position.offset for position in appended] == [1, 1, 2]
        assert last == appended[-1]
        assert _payloads(self.engine.read(self.channel, 0, 10)) == [b"a", b"c"]

    def test_closed_engine_refuses_and_can_be_closed_again(self) -> None:
        self.append(b"a")
        self.engine.close()
        self.engine.close()
        _raises(BrokerUnavailableError, lambda: self.append(b"b"))
        _raises(BrokerUnavailableError, lambda: self.engine.read(self.channel, 0, 1))
