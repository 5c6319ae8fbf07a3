"""Publishing: options, data, keys, and what is refused."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.engines import MemoryEngine
from stream_adapter.errors import ChunkEncodingError

from .conftest import MakeBroker


def all_of(live: sa.Broker, channel: str, count: int) -> list[sa.Event]:
    events = iter(live.subscribe(channel, since="earliest"))
    return [next(events) for _ in range(count)]


def test_event_carries_data_name_id_channel_and_time(live: sa.Broker) -> None:
    event_id = live.publish("orders:42", {"state": "paid"}, event="order")
    [event] = all_of(live, "orders:42", 1)
    assert (event.data, event.event, event.id, event.channel) == ({"state": "paid"}, "order", event_id, "orders:42")
    assert event.time > 1_700_000_000
    with pytest.raises(AttributeError):
        event.data = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "read"),
    [("text\nlines", "text\nlines"), (None, None), (1.5, 1.5), ([1, "a"], [1, "a"]), ("", ""), ({"a": "ü\u2028"},) * 2],
)
def test_published_data_is_read_back_as_its_json(live: sa.Broker, data: object, read: object) -> None:
    live.publish("a", data)
    assert all_of(live, "a", 1)[0].data == read


def test_published_server_sent_event_keeps_its_name_and_takes_the_brokers_id(live: sa.Broker) -> None:
    event_id = live.publish("a", sa.ServerSentEvent("done", event="end", id="mine", retry=7))
    [event] = all_of(live, "a", 1)
    assert (event.data, event.event, event.id) == ("done", "end", event_id)


def test_many_are_published_in_their_order_and_return_their_ids(live: sa.Broker) -> None:
    ids = live.publish_many("a", [{"n": 1}, sa.ServerSentEvent("x"), {"n": 3}])
    events = all_of(live, "a", 3)
    assert [event.id for event in events] == ids
    assert [event.data for event in events] == [{"n": 1}, "x", {"n": 3}]
    assert live.publish_many("a", []) == []


def test_key_publishes_once_and_returns_the_first_id(live: sa.Broker) -> None:
    first = live.publish("a", 1, key="payment-7")
    assert live.publish("a", 2, key="payment-7") == first
    assert live.publish("a", 3) != first
    assert [event.data for event in all_of(live, "a", 2)] == [1, 3]


def test_async_publish_functions_return_the_same_as_sync_ones(make_broker: MakeBroker) -> None:
    async def use() -> None:
        async with make_broker() as live:
            first = await live.apublish("a", 1, key="k")
            assert await live.apublish("a", 2, key="k") == first
            assert await live.alast_event_id("a") == first == live.last_event_id("a")
            [last] = await live.apublish_many("a", [3])
            assert await live.alast_event_id("a") == last
        with pytest.raises(sa.BrokerUnavailableError):
            await live.apublish("a", 1)

    asyncio.run(use())


def test_last_event_id_of_an_empty_channel_can_be_resumed_from(live: sa.Broker) -> None:
    cursor = live.last_event_id("a")
    live.publish("a", 1)
    assert next(iter(live.subscribe("a", since=cursor))).data == 1


def test_ids_are_short_and_have_no_separators(live: sa.Broker) -> None:
    event_id = live.publish("a", 1)
    epoch, _, offset = event_id.rpartition(".")
    assert offset == "1"
    assert len(event_id) <= 256
    assert not set(",&=?/~ ") & set(event_id)
    other = live.publish("b", 1)
    assert other.rpartition(".")[0] != epoch


@pytest.mark.parametrize("channel", ["", "a\nb", "a\0", "\ud800", "x" * 256, "\x7f"])
def test_channel_that_cannot_be_printed_or_is_too_long_is_refused(live: sa.Broker, channel: str) -> None:
    for use in (lambda: live.publish(channel, 1), lambda: live.subscribe(channel), lambda: live.last_event_id(channel)):
        with pytest.raises(ValueError, match="channel: expected 1 to 255 printable characters"):
            use()


def test_channel_cannot_leave_its_prefix() -> None:
    engine = MemoryEngine()
    with sa.Broker(engine, prefix="app") as live:
        for channel in ("a", ":a", "../x", "other:app:a", "x" * 255):
            live.publish(channel, 1)
        assert all(name.startswith("app:") for name in engine._channels)
        with pytest.raises(ValueError, match="prefix: expected"):
            sa.Broker(prefix="a:b")


REFUSED: list[tuple[Callable[[sa.Broker], Any], type[Exception], str]] = [
    (lambda live: live.publish(5, 1), TypeError, "channel: expected text, got int"),  # type: ignore[call-overload]
    (lambda live: live.publish("a", b"x"), ChunkEncodingError, "expected a ServerSentEvent, text or a JSON value"),
    (lambda live: live.publish("a", object()), ChunkEncodingError, "object"),
    (lambda live: live.publish("a", float("nan")), ChunkEncodingError, "finite"),
    (lambda live: live.publish("a", "\ud800"), ChunkEncodingError, "surrogate"),
    (lambda live: live.publish("a", "x" * (1 << 20) + "y"), ValueError, "data: expected at most 1048576 bytes"),
    (lambda live: live.publish("a", 1, event="a\nb"), ValueError, "event"),
    (lambda live: live.publish("a", 1, event="e" * 8192), ValueError, "event: expected at most 8192 bytes"),
    (lambda live: live.publish("a", sa.ServerSentEvent(1, comment="c" * 8192)), ValueError, "event: expected at most"),
    (lambda live: live.publish("a", 1, event="stream-reset"), ValueError, "event: expected a name"),
    (lambda live: live.publish("a", sa.ServerSentEvent(1), event="b"), ValueError, "event: expected None"),
    (lambda live: live.publish("a", 1, key=""), ValueError, "key: expected 1 to 255"),
    (lambda live: live.publish("a", 1, key=7), TypeError, "key: expected text, got int"),  # type: ignore[call-overload]
    (lambda live: live.publish_many("a", "text"), TypeError, "items: expected several"),
    (lambda live: live.subscribe([]), ValueError, "channel: expected 1 to 16"),
    (lambda live: live.subscribe([str(n) for n in range(17)]), ValueError, "channel: expected 1 to 16"),
    (lambda live: live.subscribe(["a", "a"]), ValueError, "channel: expected different"),
    (lambda live: live.subscribe(b"a"), TypeError, "channel: expected text"),  # type: ignore[arg-type]
    (lambda live: live.subscribe("a", since=5), TypeError, "since: expected"),  # type: ignore[arg-type]
    (lambda live: live.subscribe("a", replay=-1), ValueError, "replay: expected 0 to 1000, got -1"),
    (lambda live: live.subscribe("a", replay=1.0), TypeError, "replay: expected a whole number"),  # type: ignore[arg-type]
    (lambda live: live.subscribe("a", on_gap="x"), ValueError, "on_gap: expected"),  # type: ignore[arg-type]
    (lambda live: live.subscribe("a", on_gap="snapshot"), ValueError, "on_gap: 'snapshot' needs snapshot="),
    (lambda live: live.subscribe("a", snapshot=5), TypeError, "snapshot: expected a function"),  # type: ignore[arg-type]
    (lambda live: sa.Broker(5), TypeError, "url: expected a URL"),  # type: ignore[arg-type]
    (lambda live: sa.Broker(MemoryEngine), TypeError, "url: expected an engine, got the class"),  # type: ignore[arg-type]
    (lambda live: sa.Broker("ftp://x"), ValueError, "url: expected one of"),
    (lambda live: sa.Broker(history=5), TypeError, "history: expected History"),  # type: ignore[arg-type]
    (lambda live: sa.Broker(publish_timeout=0), ValueError, "publish_timeout"),
    (
        lambda live: sa.Broker(publish_timeout=1e10),
        ValueError,
        "publish_timeout: expected more than 0 and at most 86400",
    ),
    (lambda live: sa.Broker(publish_timeout=None), TypeError, "publish_timeout: expected seconds, got NoneType"),  # type: ignore[arg-type]
    (lambda live: sa.Broker(publish_timeout="1"), TypeError, "publish_timeout"),  # type: ignore[arg-type]
    (lambda live: sa.Broker(prefix=""), ValueError, "prefix: expected"),
    (lambda live: sa.History(count=0), ValueError, "history.count: expected 1 to"),
    (lambda live: sa.History(age=float("inf")), ValueError, "history.age: expected"),
    (lambda live: sa.History(age=1e300), ValueError, "history.age: expected"),  # Redis would store, and then refuse
    (lambda live: sa.History(age=10**400), ValueError, "history.age: expected"),
    (lambda live: sa.History(bytes=1.5), TypeError, "history.bytes: expected a whole number"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("use", "error", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_bad_option_is_refused_at_the_call(
    use: Callable[[sa.Broker], Any], error: type[Exception], message: str
) -> None:
    with sa.Broker() as live, pytest.raises(error, match=message):
        use(live)


def test_longest_history_and_timeout_are_taken(make_broker: MakeBroker) -> None:
    live = make_broker(history=sa.History(age=1e9), publish_timeout=86400)
    assert all_of(live, "a", 0) == []
    live.publish("a", 1)
    assert all_of(live, "a", 1)[0].data == 1


@pytest.mark.parametrize("prefix", ["___", "-", ".", "A.b-c_1", "p" * 64])
def test_prefix_of_each_allowed_character_is_taken(prefix: str) -> None:
    with sa.Broker(prefix=prefix) as live:
        assert live.publish("a", 1)


def test_event_of_one_mebibyte_is_published(live: sa.Broker) -> None:
    live.publish("a", "x" * (1 << 20))
    assert len(all_of(live, "a", 1)[0].data) == 1 << 20


def test_broker_errors_subclass_builtin_exceptions() -> None:
    assert issubclass(sa.BrokerUnavailableError, (sa.BrokerError, ConnectionError))
    assert issubclass(sa.BrokerUnavailableError, ConnectionError)
    assert issubclass(sa.PublishTimeoutError, TimeoutError)
    assert issubclass(sa.BrokerError, sa.StreamAdapterError)


def test_threads_that_publish_at_once_are_heard_in_one_order(live: sa.Broker) -> None:
    cursor = live.last_event_id("a")
    heard: list[list[str]] = []

    def listen() -> None:
        events = iter(live.subscribe("a", since=cursor))
        heard.append([next(events).id for _ in range(80)])

    listeners = [threading.Thread(target=listen) for _ in range(5)]
    publishers = [threading.Thread(target=lambda: [live.publish("a", n) for n in range(10)]) for _ in range(8)]
    for thread in (*listeners, *publishers):
        thread.start()
    for thread in (*listeners, *publishers):
        thread.join()
    assert heard[0] == sorted(heard[0], key=lambda event_id: int(event_id.rpartition(".")[2]))
    assert len(set(heard[0])) == 80
    assert all(ids == heard[0] for ids in heard)


class _Refusing(MemoryEngine):
    def append_many(self, *_: Any, **__: Any) -> Any:
        raise sa.BrokerUnavailableError("away")

    def append_using(self, *_: Any, **__: Any) -> Any:
        raise sa.BrokerUnavailableError("away")


class _Connection:
    """What a transaction is done on."""

    cursor = None


def test_each_way_to_publish_counts_its_failures_and_its_events_once() -> None:
    def plain(live: sa.Broker) -> None:
        live.publish("a", 1)

    def using(live: sa.Broker) -> None:
        live.publish("a", 1, using=_Connection())

    def asynchronous(live: sa.Broker) -> None:
        asyncio.run(live.apublish("a", 1))

    for publish in (plain, asynchronous, using):
        with sa.Broker(_Refusing()) as live:
            with pytest.raises(sa.BrokerUnavailableError):
                publish(live)
            assert (live.stats().published, live.stats().publish_errors) == (0, 1)
    with sa.Broker() as live:
        live.publish_many("a", [1, 2])
        assert (live.stats().published, live.stats().publish_errors) == (2, 0)
