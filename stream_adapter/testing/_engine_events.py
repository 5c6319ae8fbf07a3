"""The promises of an engine for events: their order, reading, keys, trimming and watching."""

# ruff: noqa: S101  # a test suite: it asserts, and the names of its tests are sentences

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from stream_adapter.engines import KEY_SECONDS, Frame, History, Position
from stream_adapter.engines._together import read_many, watch_many

from ._engine_setup import WAIT, EngineSetup, RecordingReceiver, payloads_of

__all__ = ["EventPromises"]

_ODD_NAMES = ("a b", "{tag}:x", "x}{y", "*", "[a-z]?", "ünï:cödé", "'; drop table", "%s", "\\x00", "n" * 330)


class EventPromises(EngineSetup):
    """The tests of what is appended, read and watched."""

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
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"mine"]
        assert payloads_of(self.engine.read(other, 0, 10)) == [b"others"]

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
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == payloads

    def test_odd_channel_names_keep_apart(self) -> None:
        for name in _ODD_NAMES:
            self.append(name.encode(), channel=name)
        for name in _ODD_NAMES:
            assert payloads_of(self.engine.read(name, 0, 10)) == [name.encode()]

    def test_entries_carry_the_time_of_their_append(self) -> None:
        self.append(b"a")
        self.advance(2)
        self.append(b"b")
        first, second = self.engine.read(self.channel, 0, 10).entries
        assert 1.5 <= second.time - first.time <= 10

    # reading

    def test_read_returns_the_oldest_after_a_cursor_and_the_newest_without(self) -> None:
        self.append(*(b"%d" % n for n in range(1, 8)))
        assert payloads_of(self.engine.read(self.channel, 2, 3)) == [b"3", b"4", b"5"]
        assert payloads_of(self.engine.read(self.channel, None, 2)) == [b"6", b"7"]
        assert payloads_of(self.engine.read(self.channel, 7, 3)) == []
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
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"a", b"c", b"d"]

    def test_key_belongs_to_its_channel(self) -> None:
        other = f"{self.channel}:other"
        for channel in (self.channel, other):
            self.engine.append_many(channel, [Frame(b"a", "k")], history=History())
        assert payloads_of(self.engine.read(other, 0, 10)) == [b"a"]

    def test_key_can_be_used_again_after_five_minutes(self) -> None:
        history = History(age=3600)
        self.engine.append_many(self.channel, [Frame(b"a", "k")], history=history)
        self.advance(KEY_SECONDS - 5)
        self.engine.append_many(self.channel, [Frame(b"b", "k")], history=history)
        self.advance(10)
        self.engine.append_many(self.channel, [Frame(b"c", "k")], history=history)
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"a", b"c"]

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
        assert payloads_of(self.engine.read(self.channel, 0, 10)) == [b"y" * 5000]

    def test_each_entry_expires_by_its_own_age(self) -> None:
        history = History(age=60)
        self.append(b"old", history=history)
        self.advance(40)
        self.append(b"new", history=history)
        self.advance(30)
        page = self.engine.read(self.channel, 0, 10)
        assert (page.top, page.earliest, payloads_of(page)) == (2, 2, [b"new"])

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

    def test_channels_that_are_watched_together_are_all_reported(self) -> None:
        receiver = RecordingReceiver(self.engine)
        channels = [f"{self.channel}:{n}" for n in range(5)]
        self.engine.watch(channels[0])
        watch_many(self.engine, channels)
        publisher = self.peer()
        for channel in channels:
            publisher.append_many(channel, [Frame(channel.encode())], history=History())
            assert receiver.wait_for(channel, 1) == [channel.encode()]

    def test_histories_that_are_read_together_are_those_of_their_channels(self) -> None:
        channels = [f"{self.channel}:{n}" for n in range(5)]
        for channel in channels:
            frames = [Frame(f"{channel} {n}".encode()) for n in range(3)]
            self.engine.append_many(channel, frames, history=History())
        wanted = [
            (channels[0], None, 1),
            (channels[1], None, 0),
            (channels[2], 1, 9),
            (channels[3], 3, 9),
            ("new", 0, 9),
        ]
        assert list(read_many(self.engine, wanted)) == [self.engine.read(*reading) for reading in wanted]
        assert [len(page.entries) for page in read_many(self.engine, wanted)] == [1, 0, 2, 0, 0]
        assert list(read_many(self.engine, [])) == []

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
        started.wait(WAIT)
        self.engine.watch(self.channel)
        page = self.engine.read(self.channel, 0, 1000)
        thread.join()
        receiver.wait_for(self.channel, count) if page.top < count else None
        seen = {entry.offset for entry in page.entries} | {at for _, at in receiver.entries.get(self.channel, {})}
        assert seen == set(range(1, count + 1))
