"""The hub: no event is lost without a reset, whatever the engine reports; one ring buffer for all listeners."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream_adapter as sa
from benchmarks import broker_wakes
from stream_adapter._broker import _hub, _openings, _readings, _repairs
from stream_adapter._broker._ids import ChannelName
from stream_adapter._broker._payloads import pack
from stream_adapter._broker._records import Record
from stream_adapter.engines import Engine, Entry, Frame, History, MemoryEngine, Page, Position, Receiver
from stream_adapter.engines._together import watch_each
from stream_adapter.errors import BrokerUnavailableError
from stream_adapter.testing import listening
from tests.runs.sources import eventually

from .conftest import MakeBroker
from .reading import BOUND, reading, request, wait_until


def has(part: bytes) -> Callable[[bytes], bool]:
    return lambda received: part in received


class Faulty(Receiver):
    """Stands between an engine and its hub: drops, doubles and holds back what is reported."""

    def __init__(self, receiver: Receiver, random_number: Callable[[], float]) -> None:
        self._receiver = receiver
        self._random = random_number
        self._held: list[tuple[str, str, Sequence[Entry]]] = []

    def received(self, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        number = self._random()
        if number < 0.25:
            return
        if number < 0.5:
            self._held.append((channel, epoch, entries))
            return
        self._receiver.received(channel, epoch, entries)
        if number < 0.6:
            self._receiver.received(channel, epoch, entries)
        if number > 0.8:
            for held in reversed(self._held):
                self._receiver.received(*held)
            self._held.clear()

    def changed(self, channel: str | None = None) -> None:
        self._receiver.changed(channel)

    def disconnected(self, error: BaseException) -> None:
        self._receiver.disconnected(error)

    def reconnected(self) -> None:
        self._receiver.reconnected()


class FaultyEngine(MemoryEngine):
    def __init__(self, seed: int) -> None:
        super().__init__()
        self.faulty: Faulty
        self._seed = seed

    def bind(self, receiver: Receiver) -> None:
        self.faulty = Faulty(receiver, random.Random(self._seed).random)
        super().bind(self.faulty)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 32), count=st.integers(1, 120), kept=st.sampled_from([5, 1000]))
def test_listener_gets_each_event_in_order_or_a_reset(seed: int, count: int, kept: int) -> None:
    engine = FaultyEngine(seed)
    with sa.Broker(engine, history=History(count=kept)) as live:
        events = iter(live.subscribe("a", since=live.last_event_id("a")))
        assert live.publish("a", 1)
        assert next(events).data == 1  # it listens
        publishing = threading.Thread(target=lambda: [live.publish("a", n) for n in range(2, count + 1)])
        publishing.start()
        publishing.join()
        engine.faulty.reconnected()  # what comes after all that was lost: positions are compared
        last = 1
        while last < count:
            event = next(events)
            if event.event == "stream-reset":
                assert kept == 5
                last = int(event.id.rpartition(".")[2])
            else:
                assert event.data == last + 1
                last = event.data


class LateEngine(MemoryEngine):
    """Answers with a position, and an event comes before the answer does."""

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        found = super().positions(names := list(channels))
        for name in names:
            self.append(name, pack("under way", None))
        return found


def test_event_that_overtakes_the_first_position_is_not_missed() -> None:
    async def use() -> None:
        async with sa.Broker(LateEngine()) as live, reading(sa.sse(live.subscribe("a"))) as read:
            await read.until(has(b"under way"))

    asyncio.run(use())


class CountingEngine(MemoryEngine):
    """Counts what it is asked; says that it blocks, so that the hub's worker asks it."""

    blocks = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.unwatched = threading.Event()
        self.fails = 0
        self.gate = threading.Event()
        self.gate.set()
        self.watched = self.largest = 0  # channels, and those of the largest `watch_many` or `read_many`
        self.compared: list[int] = []  # channels of each `positions`

    def _count(self, method: str) -> None:
        self.gate.wait(10)
        self.asked.append(method)
        if self.fails:
            self.fails -= 1
            raise BrokerUnavailableError("the engine was stopped")

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        self._count("read")
        return super().read(channel, since, limit)

    def watch_many(self, channels: Iterable[str]) -> None:
        self._count("watch")
        watch_each(self, names := list(channels))
        self.watched += len(names)
        self.largest = max(self.largest, len(names))

    def read_many(self, readings: Iterable[tuple[str, int | None, int]]) -> list[Page]:
        self._count("read")
        pages = [super(CountingEngine, self).read(*reading) for reading in readings]
        self.largest = max(self.largest, len(pages))
        return pages

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        found = super().positions(channels)
        self.compared.append(len(found))
        return found

    def unwatch(self, channel: str) -> None:
        self.asked.append("unwatch")
        super().unwatch(channel)
        self.unwatched.set()


def test_listeners_of_one_channel_watch_it_once_and_share_one_read() -> None:
    engine = CountingEngine()

    async def use(live: sa.Broker, cursor: str) -> list[list[int]]:
        async def listen() -> list[int]:
            events = aiter(live.subscribe("a", since=cursor))
            return [(await anext(events)).data for _ in range(3)]

        engine.gate.clear()
        listening = [asyncio.create_task(listen()) for _ in range(50)]
        await asyncio.sleep(0)
        engine.gate.set()
        return await asyncio.gather(*listening)

    with sa.Broker(engine) as live:
        cursor = live.publish("a", 0)
        live.publish_many("a", [1, 2, 3])
        assert asyncio.run(use(live, cursor)) == [[1, 2, 3]] * 50
        assert engine.asked.count("watch") == 1
        assert engine.asked.count("read") <= 2
        next(iter(live.subscribe("a", since=cursor)))
        assert engine.asked.count("read") <= 2  # the ring has it


def test_channels_that_are_entered_while_the_engine_is_busy_are_opened_together() -> None:
    engine, count = CountingEngine(), 2 * _openings.AT_ONCE

    async def use(live: sa.Broker) -> None:
        async def listen(name: str) -> int:
            number: int = (await anext(aiter(live.subscribe(name, since=live.last_event_id(name))))).data
            return number

        engine.gate.clear()
        listening = [asyncio.create_task(listen(f"channel {n}")) for n in range(count)]
        await asyncio.sleep(0)
        engine.gate.set()
        while engine.watched < count:  # noqa: ASYNC110  # it counts what another thread does
            await asyncio.sleep(0)
        for n in range(count):
            await live.apublish(f"channel {n}", n)
        assert await asyncio.gather(*listening) == list(range(count))

    with sa.Broker(engine) as live:
        asyncio.run(use(live))
    assert engine.asked.count("watch") <= 4  # the first alone, the others in parts that are bounded
    assert engine.largest <= _openings.AT_ONCE


def test_histories_that_are_wanted_while_the_engine_is_busy_are_read_together() -> None:
    engine, count = CountingEngine(), 2 * _readings.AT_ONCE
    names = [f"channel {n}" for n in range(count)]

    async def use(live: sa.Broker) -> None:
        first = await asyncio.gather(*(anext(aiter(live.subscribe(name, replay=1))) for name in names))
        assert [event.data for event in first] == names

    with sa.Broker(engine) as live:
        for name in names:
            live.publish(name, name)
        asyncio.run(use(live))
    assert engine.asked.count("read") < 12  # those of one part of the channels together, and each part twice at most
    assert engine.largest <= _readings.AT_ONCE


def test_long_histories_are_read_one_by_one() -> None:
    engine = CountingEngine()

    async def use(live: sa.Broker) -> None:
        first = await asyncio.gather(
            *(anext(aiter(live.subscribe(f"channel {n}", since="earliest"))) for n in range(5))
        )
        assert [event.data for event in first] == list(range(5))

    with sa.Broker(engine) as live:
        for n in range(5):
            live.publish(f"channel {n}", n)
        asyncio.run(use(live))
    assert engine.largest <= 5  # channels that are watched together
    assert engine.asked.count("read") == 5


def test_positions_of_many_channels_are_compared_in_bounded_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_repairs, "AT_ONCE", 10)
    engine = CountingEngine()
    with sa.Broker(engine) as live:
        events = [iter(live.subscribe(f"channel {n}", replay=1)) for n in range(25)]
        for n, listener in enumerate(events):
            live.publish(f"channel {n}", n)
            assert next(listener).data == n
        engine.compared.clear()
        engine.receiver.reconnected()
        wait_until(lambda: sum(engine.compared) == 25)
        assert engine.compared == [10, 10, 5]


def test_idle_listener_of_a_response_holds_at_most_12_kib() -> None:
    _, kibibytes = asyncio.run(broker_wakes._wake(broker_wakes._response, 200, 0, traced=True))
    assert kibibytes < 12  # 11.5 on Python 3.11, where it was 12.7


def test_last_listener_unwatches_and_the_channel_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hub, "LINGER", 0.01)
    engine = CountingEngine()
    with sa.Broker(engine) as live:
        live.publish("a", 1)
        next(iter(live.subscribe("a", replay=1)))
        assert engine.unwatched.wait(10)
        assert live.stats().channels == live.stats().listeners == 0
        next(iter(live.subscribe("a", replay=1)))
        assert engine.asked.count("watch") == 2


def test_engine_that_cannot_be_reached_refuses_a_subscription_with_503_and_is_asked_again() -> None:
    engine = CountingEngine()
    engine.fails = 1
    with sa.Broker(engine) as live:
        live.publish("a", 1)
        with pytest.raises(BrokerUnavailableError) as caught:
            next(iter(live.subscribe("a", replay=1)))
        assert caught.value.status_code == 503
        assert next(iter(live.subscribe("a", replay=1))).data == 1


class ProtocolAlone:
    """Has the methods of the protocol, and no other of the engine that it stands before."""

    def __init__(self) -> None:
        self._engine = MemoryEngine()
        self.asked: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.asked.add(name)
        if name not in dir(Engine) and name != "blocks":
            raise AttributeError(name)
        return getattr(self._engine, name)


def test_engine_that_has_the_methods_of_the_protocol_alone_carries_events_and_runs() -> None:
    engine: Any = ProtocolAlone()

    async def use(live: sa.Broker) -> None:
        cursor = await live.alast_event_id("a")
        heard = aiter(live.subscribe("a", since=cursor))
        await live.apublish("a", 1)
        assert (await anext(heard)).data == 1
        goes_on = asyncio.Event()

        async def answer() -> AsyncGenerator[int]:
            yield 1
            await goes_on.wait()
            yield 2

        run = await live.run("b", answer, lease=0.3).astart()
        await eventually(lambda: "renew" in engine.asked)
        goes_on.set()
        assert [event.data async for event in run] == [1, 2, {"status": "done"}]

    with sa.Broker(engine) as live:
        asyncio.run(asyncio.wait_for(use(live), 60))


def test_subscription_raises_what_opening_its_channel_raised_and_the_next_one_opens_it() -> None:
    starts, start = [RuntimeError("can't start new thread")], threading.Thread.start

    def starting(thread: threading.Thread) -> None:
        if "broker" in thread.name and starts:
            raise starts.pop()
        start(thread)

    with pytest.MonkeyPatch.context() as patch, sa.Broker("memory://") as live:
        patch.setattr(threading.Thread, "start", starting)
        live.publish("a", 1)
        with pytest.raises(RuntimeError, match="thread"):
            next(iter(live.subscribe("a", replay=1)))
        assert next(iter(live.subscribe("a", replay=1))).data == 1


def test_engine_whose_thread_cannot_start_refuses_and_the_next_listener_starts_it(live: sa.Broker) -> None:
    refused: list[str] = []
    start = threading.Thread.start

    def starting(thread: threading.Thread) -> None:
        if thread.name in {"stream_adapter.redis", "stream_adapter.sqlite", "stream_adapter.postgres"} and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    live.publish("a", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", starting)
        with suppress(BrokerUnavailableError):  # memory has no thread
            next(iter(live.subscribe("a", replay=1)))
        events = iter(live.subscribe("a", replay=1))
        assert next(events).data == 1
        live.publish("a", 2)
        assert next(events).data == 2


def test_event_is_encoded_once_for_all_listeners_of_a_format(live: sa.Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    original = Record.sse_with

    def encode(record: Record, event_id: str) -> bytes:
        encoded.append(event_id)
        return original(record, event_id)

    monkeypatch.setattr(Record, "sse_with", encode)

    async def use() -> None:
        cursor = await live.alast_event_id("a")
        async with AsyncExitStack() as stack:
            response = sa.sse(live.subscribe("a", since=cursor))
            readers = [await stack.enter_async_context(reading(response)) for _ in range(20)]
            event_id = await live.apublish("a", {"n": 1})
            for reader in readers:
                assert (await reader.events(1))[0]["id"] == event_id
        assert encoded == [event_id]

    asyncio.run(use())


def test_listeners_on_several_loops_and_threads_receive_the_same_events(live: sa.Broker) -> None:
    cursor = live.last_event_id("a")
    heard: dict[str, list[Any]] = {}

    async def alisten(name: str) -> None:
        events = aiter(live.subscribe("a", since=cursor))
        heard[name] = [(await anext(events)).data for _ in range(50)]

    def listen(name: str) -> None:
        events = iter(live.subscribe("a", since=cursor))
        heard[name] = [next(events).data for _ in range(50)]

    def run_listener(name: str) -> None:
        asyncio.run(alisten(name))

    threads = [threading.Thread(target=listen, args=[f"thread {n}"]) for n in range(3)]
    threads += [threading.Thread(target=run_listener, args=[f"loop {n}"]) for n in range(3)]
    threads.append(threading.Thread(target=lambda: [live.publish("a", n) for n in range(50)]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(heard) == 6
    assert all(data == list(range(50)) for data in heard.values())


def test_listener_that_falls_off_the_ring_reads_history_or_is_reset_as_slow(make_broker: MakeBroker) -> None:
    for kept, expected in ((5000, "event"), (10, "slow")):
        live = make_broker(history=History(count=kept, bytes=1 << 30))
        events = iter(live.subscribe("a", since=live.last_event_id("a")))
        live.publish("a", 0)
        assert next(events).data == 0
        for start in range(1, 1200, 300):
            live.publish_many("a", [{"n": n, "pad": "x" * 2000} for n in range(start, start + 300)])
        event = next(events)
        if expected == "event" and event.event is None:
            assert event.data["n"] == 1
        else:
            assert event.data["reason"] in {"slow", "trimmed"}
            assert event.id == live.last_event_id("a")
            live.publish("a", "after")
            assert next(events).data == "after"


def test_store_that_went_back_resets_every_listener() -> None:
    engine = MemoryEngine()
    with sa.Broker(engine, prefix="app") as live:
        live.publish_many("a", [1, 2, 3])
        events = iter(live.subscribe("a", replay=1))
        assert next(events).data == 3
        engine._channels["app:a"].top = 1  # as a store that came back from an old copy
        engine._channels["app:a"].entries.clear()
        engine.receiver.reconnected()
        reset = next(events)
        assert (reset.event, reset.data["reason"], reset.id) == ("stream-reset", "epoch", live.last_event_id("a"))


def test_store_that_was_emptied_resets_listeners_when_positions_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_repairs, "CHECK_SECONDS", 0.02)
    engine = MemoryEngine()
    with sa.Broker(engine) as live:
        live.publish("a", 1)
        events = iter(live.subscribe("a", replay=1))
        assert next(events).data == 1
        engine._channels.clear()
        reset = next(events)
        assert (reset.data["reason"], reset.id) == ("epoch", live.last_event_id("a"))
        live.publish("a", 2)
        assert next(events).data == 2


def test_lost_connection_is_logged_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    engine = MemoryEngine()
    with sa.Broker(engine, prefix="app") as live:
        events = iter(live.subscribe("secret:channel", replay=1))
        live.publish("secret:channel", 1)
        next(events)
        for _ in range(3):
            engine.receiver.disconnected(ConnectionResetError("peer"))
        assert live.stats().is_connected is False
        engine.receiver.reconnected()
        assert (live.stats().reconnects, live.stats().is_connected) == (1, True)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "broker app: the connection was lost" in warnings[0]
    assert "secret" not in caplog.text


def test_stalled_reader_delays_no_other_and_grows_nothing(live: sa.Broker) -> None:
    async def use() -> None:
        async with reading(sa.sse(live.subscribe("a"))) as stalled, reading(sa.sse(live.subscribe("a"))) as fast:
            await stalled.events(1)
            for n in range(40):
                expected = b"x" * 100_000 + b"%d\n" % n
                await live.apublish("a", expected.decode().strip())
                await fast.until(has(expected))
                fast.received = b""
            await stalled.until(has(b"stream-reset"))
            assert len(stalled.received) < 3_000_000
            assert has(b'"slow"')(stalled.received) or has(b'"trimmed"')(stalled.received)

    asyncio.run(use())


def test_listener_that_is_not_read_yet_begins_where_its_channel_was_opened() -> None:
    async def use() -> None:
        async with (
            sa.Broker(CountingEngine()) as live,
            reading(sa.sse(live.subscribe("a"), commit_after=0)) as unread,
            reading(sa.sse(live.subscribe("a"))) as read,
        ):
            await read.events(1)  # the channel is open, for both
            await live.apublish("a", "first")
            await unread.until(has(b"data: first"))

    asyncio.run(use())


def test_broker_that_is_closed_while_threads_publish_raises_its_own_errors(make_broker: MakeBroker) -> None:
    live = make_broker()
    begun, errors = threading.Barrier(5), list[BaseException]()

    def publish() -> None:
        begun.wait(BOUND)
        try:
            while True:
                live.publish("a", 1)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait(BOUND)
    wait_until(lambda: live.stats().published > 8)
    live.close()
    for thread in threads:
        thread.join(BOUND)
    assert [str(error) for error in errors] == ["the broker is closed"] * 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # which ends it here
def test_thread_of_a_hub_that_something_has_ended_is_started_again(make_broker: MakeBroker) -> None:
    live = make_broker()
    live.publish("a", 1)
    with listening(live, "a") as heard:
        live.publish("a", 2)
        assert heard.next(30).data == 2
        worker = live._hub()._worker
        worker.submit(sys.exit)  # an exception that is not an Exception, as job queues and gevent raise them
        wait_until(lambda: worker._thread is None)
        assert next(iter(live.subscribe("b", snapshot=lambda: "state"))).data == "state"


def test_two_brokers_cannot_share_an_engine() -> None:
    engine = MemoryEngine()
    with sa.Broker(engine), pytest.raises(ValueError, match="make one for each"):
        sa.Broker(engine)


def test_resumed_request_of_an_emptied_store_is_reset_once(live: sa.Broker) -> None:
    async def use() -> None:
        cursor = await live.apublish("a", 1)
        async with reading(sa.sse(live.subscribe("a")), request(last_event_id=f"{cursor}0")) as reader:
            [reset] = await reader.events(1)
        async with reading(sa.sse(live.subscribe("a")), request(last_event_id=reset["id"])) as reader:
            last = await live.apublish("a", 2)
            assert [event["id"] for event in await reader.events(1)] == [last]

    asyncio.run(use())


def test_frames_of_others_are_events_without_data() -> None:
    engine = MemoryEngine()
    with sa.Broker(engine, prefix="app") as live:
        engine.append_many("app:a", [Frame(b"of another program")], history=History())
        assert next(iter(live.subscribe("a", replay=1))).data is None


class _Unreachable(MemoryEngine):
    """Answers when the test lets it, and then that the store cannot be reached."""

    blocks = True

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.released = threading.Event()
        self.calls = 0
        self.is_away = True
        self.holds_reads = False

    def _fail(self) -> None:
        if self.is_away:
            self.calls += 1
            self.asked.set()
            assert self.released.wait(20)
            raise BrokerUnavailableError("the store cannot be reached")

    def watch(self, channel: str) -> None:
        self._fail()
        super().watch(channel)

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        if self.holds_reads:
            assert self.released.wait(20)
        self._fail()
        return super().read(channel, since, limit)


async def _all_of(live: sa.Broker, name: str) -> list[Any]:
    return [event.data async for event in live.subscribe(name, since="earliest")]


def test_channels_that_open_while_the_engine_fails_share_its_failure() -> None:
    """Each would wait for a timeout of its own, one after the other."""
    engine = _Unreachable()
    with sa.Broker(engine) as live:
        hub = live._hub()
        waiter = hub.waiter()
        names = [ChannelName.of("stream", f"c{n}") for n in range(10)]
        opened = [hub.enter(name, waiter)[1] for name in names[:1]]
        assert engine.asked.wait(20)
        opened += [hub.enter(name, waiter)[1] for name in names[1:]]
        engine.released.set()
        for each in opened:
            assert isinstance(each.exception(20), BrokerUnavailableError)
        assert engine.calls == 1
        later = hub.enter(ChannelName.of("stream", "later"), waiter)[1]
        assert isinstance(later.exception(20), BrokerUnavailableError)
        assert engine.calls == 2


def test_channels_that_catch_up_while_the_engine_fails_share_its_failure_with_new_listeners() -> None:
    engine = _Unreachable()
    engine.is_away = False
    with sa.Broker(engine) as live:
        hub = live._hub()
        waiter = hub.waiter()
        names = [ChannelName.of("stream", f"c{n}") for n in range(10)]
        for name in names:
            hub.enter(name, waiter)[1].result(20)
        engine.is_away = True
        for name in names:
            hub.changed(name.key)
        assert engine.asked.wait(20)
        late = hub.enter(ChannelName.of("stream", "late"), waiter)[1]
        engine.released.set()
        assert isinstance(late.exception(20), BrokerUnavailableError)
        assert engine.calls == 1


def test_channel_that_waits_to_be_opened_is_refused_when_the_broker_is_closed() -> None:
    engine = _Unreachable()
    with sa.Broker(engine) as live:
        hub = live._hub()
        waiter = hub.waiter()
        hub.enter(ChannelName.of("stream", "first"), waiter)
        assert engine.asked.wait(20)
        waiting = hub.enter(ChannelName.of("stream", "second"), waiter)[1]
        hub.close()
        assert isinstance(waiting.exception(20), BrokerUnavailableError)
        engine.released.set()


def test_history_that_waits_to_be_read_is_refused_when_the_broker_is_closed() -> None:
    engine = _Unreachable()
    engine.is_away = False
    with sa.Broker(engine) as live:
        hub = live._hub()
        channel, opened = hub.enter(ChannelName.of("stream", "a"), hub.waiter())
        opened.result(20)
        engine.is_away = True
        under_way = hub.read(channel, 0, 1000)
        assert engine.asked.wait(20)
        waiting = hub.read(channel, 1, 1000)
        hub.close()
        assert isinstance(waiting.exception(20), BrokerUnavailableError)
        assert isinstance(hub.read(channel, 2, 1000).exception(20), BrokerUnavailableError)  # no worker is left for it
        engine.released.set()
        assert isinstance(under_way.exception(20), BrokerUnavailableError)
        assert not channel.reads


def test_listener_whose_history_waits_to_be_read_ends_when_the_broker_is_closed() -> None:
    engine = _Unreachable()

    async def use(live: sa.Broker) -> None:
        engine.is_away = False
        listening = [asyncio.create_task(_all_of(live, name)) for name in ("a", "b")]
        await eventually(lambda: len(live._hub().channels) == 2 and live._hub()._unread)
        live._hub().close()
        engine.released.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*listening, return_exceptions=True)

    with sa.Broker(engine) as live:
        for name in ("a", "b"):
            live.publish(name, 1)
        engine.holds_reads = True
        asyncio.run(use(live))


class _FailsOnce(MemoryEngine):
    blocks = True
    failures = 0

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError("the connection of the pool was an old one")
        return super().positions(channels)


def test_comparison_after_a_reconnect_is_tried_again_if_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_repairs, "RETRY_SECONDS", 0.05)
    engine = _FailsOnce()
    with sa.Broker(engine) as live, listening(live, "a") as heard, listening(live, "b") as other:
        for each, channel in ((heard, "a"), (other, "b")):
            live.publish(channel, 1)
            assert each.next(20).data == 1
        receiver = engine.receiver
        engine.receiver = type(receiver)()  # which has no hub
        live.publish("a", "missed")
        engine.receiver, engine.failures = receiver, 1
        receiver.reconnected()
        assert heard.next(20).data == "missed"
        assert engine.failures == 0
