"""What Redis and what stands before it can do to a broker: killed, frozen, emptied, restored, cut off."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
import redis

import stream_adapter as sa
from stream_adapter.errors import BrokerError, BrokerUnavailableError, PublishTimeoutError
from stream_adapter.testing import FaultProxy, Listening, listening
from tests.broker.reading import wait_until
from tests.support.redis_server import KINDS, RedisServer, binary_of

TIMEOUT = 0.5  # seconds of publishing, where it is to fail


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    if binary_of(request.param) is None:
        pytest.skip(f"needs a {request.param} server")
    with RedisServer(request.param) as server:
        yield server


@contextmanager
def through(server: RedisServer) -> Generator[tuple[FaultProxy, sa.Broker]]:
    """Open a broker behind a proxy; another one publishes past it."""
    with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        sa.Broker(f"redis://127.0.0.1:{proxy.port}/0", publish_timeout=TIMEOUT) as live,
    ):
        yield proxy, live


def data_of(events: list[sa.Event]) -> list[object]:
    return [event.data for event in events]


def reasons_of(events: list[sa.Event]) -> list[object]:
    return [event.data["reason"] for event in events if event.event == "stream-reset"]


def next_reset(heard: Listening) -> object:
    """Return the reason of the reset that comes next."""
    event = heard.next(30)
    assert event.event == "stream-reset", event
    return event.data["reason"]


def until_last(heard: Listening, last: object) -> list[sa.Event]:
    """Return the events up to the one with this data."""
    events = [heard.next(30)]
    while events[-1].data != last:
        events.append(heard.next(30))
    return events


# G3: published means stored, otherwise an error


def test_request_that_is_lost_is_an_error_within_the_timeout(server: RedisServer) -> None:
    with through(server) as (proxy, live):
        live.publish("a", "first")
        proxy.drop_requests()
        with pytest.raises(PublishTimeoutError, match=r"within 0\.5 s"):
            live.publish("a", "lost")
        proxy.heal()
        live.publish("a", "second")
        with sa.Broker(server.url) as other:
            assert data_of(history(other, "a")) == ["first", "second"]


def history(live: sa.Broker, channel: str) -> list[sa.Event]:
    """Return what is stored in a channel."""
    last = live.publish(channel, "the end of the history")
    events: list[sa.Event] = []
    for event in live.subscribe(channel, since="earliest"):
        if event.id == last:
            break
        events.append(event)
    return events


def test_lost_reply_and_a_second_try_with_its_key_store_one_event(server: RedisServer) -> None:
    with through(server) as (proxy, live):
        live.publish("a", "first")
        proxy.drop_replies()
        with pytest.raises(PublishTimeoutError):
            live.publish("a", "once", key="payment-7")
        proxy.heal()
        again = live.publish("a", "once", key="payment-7")
        with sa.Broker(server.url) as other:
            stored = history(other, "a")
            assert data_of(stored) == ["first", "once"]
            assert stored[-1].id == again


def test_lost_reply_on_an_event_loop_is_an_error_and_the_loop_goes_on(server: RedisServer) -> None:
    async def use(proxy: FaultProxy, live: sa.Broker) -> int:
        await live.apublish("a", "first")
        proxy.drop_all()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        with pytest.raises(PublishTimeoutError):
            await live.apublish("a", "lost", key="k")
        ticking.cancel()
        proxy.heal()
        await live.apublish("a", "again", key="k")
        await live.aclose()
        return ticks

    with through(server) as (proxy, live):
        assert asyncio.run(use(proxy, live)) >= 3


def test_server_that_is_frozen_is_an_error_for_each_publisher(server: RedisServer) -> None:
    with sa.Broker(server.url, publish_timeout=TIMEOUT) as live:
        live.publish("a", "first")
        server.freeze()
        failures: list[BrokerError] = []

        def publish() -> None:
            try:
                live.publish("a", "frozen")
            except BrokerError as error:
                failures.append(error)

        threads = [threading.Thread(target=publish) for _ in range(20)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(failures) == 20
        assert time.monotonic() - started < 20, "the pool was waited for again and again"
        server.thaw()
        live.publish("a", "second")


def test_publishers_that_wait_for_a_connection_fail_within_their_own_timeout(server: RedisServer) -> None:
    """There are more of them than connections; a connection that is made late has only what is left of the time."""
    took: list[float] = []
    with sa.Broker(server.url, publish_timeout=2.0) as live:
        live.publish("a", "first")
        server.freeze()

        def publish() -> None:
            started = time.monotonic()
            with pytest.raises(BrokerError):
                live.publish("a", "frozen")
            took.append(time.monotonic() - started)

        threads = [threading.Thread(target=publish) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        server.thaw()
        assert len(took) == 30
        assert max(took) < 3.6, took


def test_server_that_refuses_is_an_error_that_says_nothing_was_stored(server: RedisServer) -> None:
    with through(server) as (proxy, live):
        proxy.refuse()
        with pytest.raises(BrokerUnavailableError, match="cannot be reached"):
            live.publish("a", "x")
        proxy.heal()
        live.publish("a", "y")


def test_error_of_a_connection_does_not_show_a_password(server: RedisServer) -> None:
    server.kill()
    url = f"redis://user:geheim@127.0.0.1:{server.port}/0"
    with sa.Broker(url, publish_timeout=TIMEOUT) as live:
        with pytest.raises(BrokerUnavailableError) as caught:
            live.publish("a", "x")
        assert "geheim" not in f"{caught.value!r} {live!r}"


# G5: the broker is killed and comes back


def test_kill_and_restart_empty_resets_each_listener_once(server: RedisServer) -> None:
    with sa.Broker(server.url) as live, listening(live, "a") as heard:
        live.publish("a", "before")
        assert heard.next().data == "before"
        server.kill()
        server.start()
        live.publish("a", "after")
        assert next_reset(heard) == "epoch"
        live.publish("a", "last")
        assert reasons_of(until_last(heard, "last")) == []


@pytest.mark.parametrize("published_after", [0, 2, 3, 5], ids=["behind", "behind by one", "equal", "overtaken"])
def test_restart_from_an_old_snapshot_is_a_reset_for_every_cursor(server: RedisServer, published_after: int) -> None:
    with sa.Broker(server.url) as live:
        live.publish("a", "kept")
        assert server.command("SAVE") == b"+OK\r\n"
        cursor = live.publish_many("a", ["lost 1", "lost 2", "lost 3"])[-1]
        server.kill()
        server.start()
        for n in range(published_after):
            live.publish("a", f"new {n}")
        with listening(live, "a", since=cursor) as heard:
            assert next_reset(heard) == "epoch"
            live.publish("a", "last")
            assert data_of(until_last(heard, "last")) == ["last"]


def test_restart_with_an_append_only_file_is_a_reset(server: RedisServer) -> None:
    kind = server.kind
    with RedisServer(kind, appendonly="yes", appendfsync="always") as durable, sa.Broker(durable.url) as live:
        cursor = live.publish("a", "kept")
        durable.kill()
        durable.start()
        with listening(live, "a", since=cursor) as heard:
            assert next_reset(heard) == "epoch"
            live.publish("a", "last")
            assert data_of(until_last(heard, "last")) == ["last"]


def test_flushed_database_resets_listeners_and_cursors(server: RedisServer) -> None:
    with sa.Broker(server.url) as live, listening(live, "a") as heard:
        cursor = live.publish("a", "before")
        assert heard.next().data == "before"
        server.command("FLUSHALL")
        live.publish("a", "after")
        assert next_reset(heard) == "epoch"
        with listening(live, "a", since=cursor) as late:
            assert next_reset(late) == "epoch"


@pytest.mark.parametrize(("ending", "reason"), [(":h", "epoch"), (":s", "trimmed")])
def test_eviction_of_one_key_of_a_channel_resets_its_listener(server: RedisServer, ending: str, reason: str) -> None:
    with sa.Broker(server.url, prefix="app") as live:
        cursor = live.publish_many("a", ["1", "2", "3"])[0]
        assert server.command("DEL", "{app:a}" + ending) == b":1\r\n"
        with listening(live, "a", since=cursor) as heard:
            assert next_reset(heard) == reason
            live.publish("a", "last")
            assert data_of(until_last(heard, "last")) == ["last"]


def test_cut_connections_are_made_again_and_nothing_is_missing(server: RedisServer) -> None:
    with through(server) as (proxy, live), sa.Broker(server.url) as other, listening(live, "a") as heard:
        other.publish("a", "1")
        assert heard.next().data == "1"
        proxy.refuse()
        for n in range(2, 20):
            other.publish("a", str(n))
        proxy.heal()
        other.publish("a", "last")
        assert data_of(until_last(heard, "last")) == [*(str(n) for n in range(2, 20)), "last"]
        wait_until(lambda: live.stats().is_connected)  # the look at all positions may have found the events before
        assert live.stats().reconnects == 1


def test_connections_of_an_event_loop_that_the_server_closed_are_made_again(server: RedisServer) -> None:
    async def use(live: sa.Broker) -> None:
        assert await live.apublish("a", "1") == await live.alast_event_id("a")
        server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for _ in range(3):  # turns in which the loop sees that they are closed
            await asyncio.sleep(0)
        assert await live.apublish("a", "2") == await live.alast_event_id("a")
        assert server.command("CLIENT", "LIST", "TYPE", "normal").count(b" name=") <= 3  # with the test's own

    with sa.Broker(server.url) as live:
        asyncio.run(use(live))


def test_caller_that_gives_up_while_it_connects_leaves_no_half_open_connection(server: RedisServer) -> None:
    async def use(proxy: FaultProxy, live: sa.Broker) -> None:
        proxy.drop_all()
        with pytest.raises(sa.BrokerUnavailableError):
            await live.apublish("a", "lost")
        proxy.heal()
        first, second = await asyncio.gather(live.apublish("a", "1"), live.apublish("a", "2"))
        assert await live.alast_event_id("a") == second != first

    with through(server) as (proxy, live):
        asyncio.run(use(proxy, live))


def test_half_open_connection_of_the_subscriber_is_noticed(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_adapter.engines._redis_subscriber._QUIET", 0.2)
    with through(server) as (proxy, live), sa.Broker(server.url) as other, listening(live, "a") as heard:
        other.publish("a", "1")
        assert heard.next().data == "1"
        proxy.drop_all()
        other.publish("a", "2")
        proxy.wait_until_dropped()
        proxy.wait_until_dropped()
        proxy.heal()
        assert heard.next(30).data == "2"


def test_many_channels_are_subscribed_to_in_few_commands_also_after_a_lost_connection(server: RedisServer) -> None:
    names = [f"channel {n}" for n in range(1200)]

    def subscribed() -> int:
        found = re.search(rb"cmdstat_subscribe:calls=(\d+)", server.command("INFO", "commandstats"))
        return int(found[1]) if found else 0

    async def use(live: sa.Broker) -> None:
        await asyncio.gather(*(live.apublish(name, name) for name in names))
        listeners = [aiter(live.subscribe(name, replay=1)) for name in names]
        first = await asyncio.gather(*map(anext, listeners))
        assert data_of(first) == names
        assert subscribed() <= 20  # one for each, it was; a busy machine has more turns, of fewer channels

        server.command("CONFIG", "RESETSTAT")
        server.command("CLIENT", "KILL", "TYPE", "pubsub")
        while not live.stats().reconnects:  # noqa: ASYNC110  # it counts what another thread does
            await asyncio.sleep(0.01)
        assert subscribed() == 2
        await asyncio.gather(*(live.apublish(name, "next") for name in names))
        assert data_of(await asyncio.gather(*map(anext, listeners))) == ["next"] * len(names)

    with sa.Broker(server.url) as live:
        asyncio.run(use(live))


# G11: what stays behind


def test_connections_do_not_grow_with_channels_and_every_key_expires(server: RedisServer) -> None:
    with sa.Broker(server.url, prefix="app") as live:
        opened = [listening(live, f"channel {n}") for n in range(50)]
        for each in opened:
            each.__enter__()
        for n in range(50):
            live.publish(f"channel {n}", n, key="k")
        for n, each in enumerate(opened):
            assert each.next().data == n
        clients = server.command("CLIENT", "LIST").count(b"name=") - 1
        assert clients <= 1 + 8 + 8
        for each in opened:
            each.__exit__(None, None, None)
    keys = [line for line in server.command("KEYS", "*").split(b"\r\n") if line.startswith(b"{app:")]
    assert len(keys) == 150
    for key in keys:
        assert int(server.command("PTTL", key.decode())[1:]) > 0, key
    server.wait_for(b"*0\r\n", "PUBSUB", "CHANNELS", "*")


def test_script_that_was_flushed_is_loaded_again(server: RedisServer) -> None:
    with sa.Broker(server.url) as live:
        live.publish("a", "1")
        server.command("SCRIPT", "FLUSH")
        live.publish("a", "2")
        assert data_of(history(live, "a")) == ["1", "2"]


@pytest.mark.parametrize("server", ["valkey"], indirect=True)
def test_connection_that_another_thread_closes_while_it_connects_is_unavailable(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a broker that is closed does; redis-py raises ValueError then."""
    with sa.Broker(server.url) as live:

        def on_connect(_: redis.Connection) -> None:
            raise ValueError("I/O operation on closed file.")

        monkeypatch.setattr(redis.Connection, "on_connect", on_connect)
        with pytest.raises(BrokerUnavailableError, match="closed file"):
            live.join("a")


def test_user_with_few_rights_can_do_all_that_a_broker_needs(server: RedisServer) -> None:
    commands = "evalsha script|load info subscribe unsubscribe publish ping hmget hset del xadd xrange xrevrange xtrim"
    rights = [f"+{name}" for name in f"{commands} pexpire set get time select".split()]
    names = ("~{app:*", "~{app@run:*", "&{app:*", "&{app@run:*")
    server.command("ACL", "SETUSER", "app", "on", ">secret", *names, *rights)
    url = f"redis://app:secret@127.0.0.1:{server.port}/0"
    with sa.Broker(url, prefix="app") as live, listening(live, "a") as heard:
        live.publish("a", "1", key="k")
        assert heard.next().data == "1"
        assert [event.data for event in live.run("k", lambda: iter(["x"]))] == ["x", {"status": "done"}]
    with sa.Broker(url, prefix="other") as live, pytest.raises(BrokerError):
        live.publish("a", "1")


def test_redis_engine_connects_to_a_unix_socket(server: RedisServer) -> None:
    server.kill()
    path = server.folder / "redis.sock"
    with RedisServer(server.kind, unixsocket=str(path)), sa.Broker(f"unix://{path}?db=0") as live:
        live.publish("a", "1")
        assert data_of(history(live, "a")) == ["1"]
    shutil.rmtree(server.folder, ignore_errors=True)
