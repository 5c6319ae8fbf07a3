"""Publishes of one event loop that are sent together: each caller has its own id, error and time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.engines import Frame, History
from stream_adapter.engines._batches import Batch, Batches
from stream_adapter.engines.redis import RedisEngine
from stream_adapter.engines.sqlite import SQLiteEngine
from stream_adapter.errors import BrokerUnavailableError, FencedError, PublishTimeoutError
from stream_adapter.testing import FaultProxy
from tests.broker.conftest import ENGINES, MakeBroker, redis_url
from tests.broker.reading import BOUND
from tests.support.redis_server import RedisServer, binary_of

needs_redis = pytest.mark.skipif(
    not (binary_of("valkey") or binary_of("redis")), reason="needs a valkey or redis server"
)

TIMEOUT = 10.0  # seconds of the loop's clock, which `Store.advance` moves on


class Store:
    """Answers a batch with its items in upper case, when the gate is open; an item that begins with "bad" fails."""

    def __init__(self) -> None:
        self._ahead = 0.0
        loop: Any = asyncio.get_running_loop()
        loop.time = lambda: time.monotonic() + self._ahead
        self.gate = asyncio.Event()
        self.gate.set()
        self.connected = asyncio.Event()
        self.connected.set()
        self.begun = asyncio.Event()
        self.batches: list[list[str]] = []

    async def advance(self, seconds: float) -> None:
        """Move the loop's clock on."""
        self._ahead += seconds
        await asyncio.sleep(0)

    async def exchange(self, batch: Batch[str, str]) -> Sequence[str | Exception]:
        await self.connected.wait()
        asked = batch.begin()
        self.batches.append(asked)
        self.begun.set()
        try:
            async with asyncio.timeout_at(batch.until):
                await self.gate.wait()
        except TimeoutError:
            raise PublishTimeoutError("the store did not answer") from None
        if "lost" in asked:
            raise BrokerUnavailableError("lost")
        return [FencedError(each) if each.startswith("bad") else each.upper() for each in asked]


def run(test: Callable[[Store, Batches[str, str]], Awaitable[None]]) -> None:
    async def main() -> None:
        store = Store()
        async with asyncio.timeout(BOUND):
            await test(store, Batches(store.exchange))

    asyncio.run(main())


def test_calls_of_one_step_are_one_exchange_in_their_order() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        assert await asyncio.gather(*(batches.ask(each, 1, BOUND) for each in "abc")) == ["A", "B", "C"]
        assert store.batches == [["a", "b", "c"]]

    run(test)


def test_calls_during_an_exchange_go_together_into_the_next() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        store.gate.clear()
        asking = [asyncio.ensure_future(batches.ask("a", 1, BOUND))]
        await store.begun.wait()
        for each in "bcd":
            asking.append(asyncio.ensure_future(batches.ask(each, 1, BOUND)))
            await asyncio.sleep(0)
        store.gate.set()
        assert await asyncio.gather(*asking) == ["A", "B", "C", "D"]
        assert store.batches == [["a"], ["b", "c", "d"]]

    run(test)


def test_error_of_one_call_is_its_own() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        answers = await asyncio.gather(
            *(batches.ask(each, 1, BOUND) for each in ("a", "bad", "c")), return_exceptions=True
        )
        assert answers[::2] == ["A", "C"]
        assert isinstance(answers[1], FencedError)

    run(test)


def test_failed_exchange_is_an_error_of_its_own_for_each() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        errors = await asyncio.gather(*(batches.ask(each, 1, BOUND) for each in ("a", "lost")), return_exceptions=True)
        assert [type(error) for error in errors] == [BrokerUnavailableError] * 2
        assert errors[0] is not errors[1]
        assert await batches.ask("b", 1, BOUND) == "B"

    run(test)


def test_cancelled_call_that_was_not_sent_is_left_out_and_the_others_go_on() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        asking = [asyncio.ensure_future(batches.ask(each, 1, BOUND)) for each in "abc"]
        store.connected.clear()
        await asyncio.sleep(0)
        asking[1].cancel()
        store.connected.set()
        assert [await asking[0], await asking[2]] == ["A", "C"]
        assert store.batches == [["a", "c"]]

    run(test)


def test_cancelled_call_that_was_sent_does_not_disturb_the_others() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        store.gate.clear()
        asking = [asyncio.ensure_future(batches.ask(each, 1, BOUND)) for each in "abc"]
        await store.begun.wait()
        asking[0].cancel()
        store.gate.set()
        assert await asyncio.gather(*asking[1:]) == ["B", "C"]

    run(test)


def test_time_that_is_over_is_unknown_if_it_was_sent_and_an_error_if_not() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        store.gate.clear()
        sent = asyncio.ensure_future(batches.ask("sent", 1, TIMEOUT))
        await store.begun.wait()
        unsent = asyncio.ensure_future(batches.ask("unsent", 1, TIMEOUT))
        await asyncio.sleep(0)
        await store.advance(TIMEOUT)
        with pytest.raises(PublishTimeoutError, match="the store did not answer"):
            await sent
        with pytest.raises(BrokerUnavailableError, match="busy for 10 s"):
            await unsent
        store.gate.set()
        assert await batches.ask("next", 1, TIMEOUT) == "NEXT"
        assert [batch for batch in store.batches if batch] == [["sent"], ["next"]]

    run(test)


def test_each_call_of_an_exchange_has_its_own_time() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        first, second = store.gate, asyncio.Event()
        first.clear()
        asking = [asyncio.ensure_future(batches.ask("a", 1, TIMEOUT))]
        await store.begun.wait()
        for each in "bc":
            await store.advance(TIMEOUT * 0.4)
            asking.append(asyncio.ensure_future(batches.ask(each, 1, TIMEOUT)))
            await asyncio.sleep(0)
        store.begun.clear()
        store.gate = second
        first.set()
        await store.begun.wait()
        await store.advance(TIMEOUT * 0.6)
        with pytest.raises(PublishTimeoutError, match="within 10 s"):
            await asking[1]
        second.set()
        assert [await asking[0], await asking[2]] == ["A", "C"]
        assert store.batches == [["a"], ["b", "c"]]

    run(test)


def test_time_that_is_over_before_there_is_a_connection_sends_nothing() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        store.connected.clear()
        asking = asyncio.ensure_future(batches.ask("a", 1, TIMEOUT))
        await asyncio.sleep(0)
        await store.advance(TIMEOUT)
        with pytest.raises(BrokerUnavailableError, match="busy"):
            await asking
        store.connected.set()
        assert await batches.ask("b", 1, TIMEOUT) == "B"
        assert [batch for batch in store.batches if batch] == [["b"]]

    run(test)


def test_lanes_do_not_wait_for_each_other() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        first = store.gate
        first.clear()
        slow = asyncio.ensure_future(batches.ask("a", 1, BOUND, lane=1))
        await store.begun.wait()
        store.gate = asyncio.Event()
        store.gate.set()
        assert await batches.ask("b", 1, BOUND, lane=2) == "B"
        first.set()
        assert await slow == "A"

    run(test)


def test_exchange_has_a_bound_of_calls_and_of_bytes() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        sizes = [1 << 19, 1 << 19, 1 << 19, 1 << 21, 1]
        await asyncio.gather(*(batches.ask(str(at), size, BOUND) for at, size in enumerate(sizes)))
        assert store.batches == [["0", "1"], ["2"], ["3"], ["4"]]
        store.batches.clear()
        await asyncio.gather(*(batches.ask(str(at), 1, BOUND) for at in range(1001)))
        assert [len(batch) for batch in store.batches] == [500, 500, 1]

    run(test)


def test_exchange_that_is_cancelled_is_an_error_for_each_caller() -> None:
    async def test(store: Store, batches: Batches[str, str]) -> None:
        before = asyncio.all_tasks()
        store.gate.clear()
        sent = asyncio.ensure_future(batches.ask("a", 1, BOUND))
        await store.begun.wait()
        unsent = asyncio.ensure_future(batches.ask("b", 1, BOUND))
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - before - {sent, unsent}:
            task.cancel()
        with pytest.raises(PublishTimeoutError, match="ended"):
            await sent
        with pytest.raises(BrokerUnavailableError, match="ended"):
            await unsent
        store.gate.set()
        assert await batches.ask("c", 1, BOUND) == "C"

    run(test)


# on the engines


def test_concurrent_publishes_have_their_own_ids_in_the_order_of_the_calls(make_broker: MakeBroker) -> None:
    async def publish() -> list[str]:
        async with make_broker() as live:
            ids = await asyncio.gather(*(live.apublish(f"c{n % 3}", n, key=f"k{n // 6}") for n in range(60)))
            found: list[object] = []
            async for event in live.subscribe("c0", since="earliest"):
                found.append(event.data)
                if len(found) == 10:
                    break
            assert found == [*range(0, 60, 6)]
            return ids

    ids = asyncio.run(publish())
    for n in range(0, 60, 6):
        assert ids[n : n + 3] == ids[n + 3 : n + 6], "the same key, the same event"
    assert len(set(ids)) == 30


@pytest.mark.parametrize("name", ["redis", "sqlite"])
def test_stale_token_among_concurrent_appends_fails_alone(name: str) -> None:
    if name == "redis" and not (binary_of("valkey") or binary_of("redis")):
        pytest.skip("needs a valkey or redis server")
    url = str(ENGINES[name]())
    engine = RedisEngine(url) if name == "redis" else SQLiteEngine(url.removeprefix("sqlite:///"))

    async def append() -> None:
        state = engine.claim("run", lease=BOUND, retain=BOUND)
        tokens = (None, state.token, state.token - 1, None)
        answers = await asyncio.gather(
            *(
                engine.aappend_many(channel, [Frame(b"a"), Frame(b"b")], history=History(), token=token)
                for channel, token in zip(("x", "run", "run", "x"), tokens, strict=True)
            ),
            return_exceptions=True,
        )
        offsets = [None if isinstance(answer, BaseException) else [at for _, at in answer] for answer in answers]
        assert offsets == [[1, 2], [1, 2], None, [3, 4]]
        assert isinstance(answers[2], FencedError)
        await engine.aclose()

    asyncio.run(append())


@needs_redis
def test_concurrent_publishes_take_one_connection_and_a_lost_reply_is_an_error_for_each() -> None:
    async def publish(proxy: FaultProxy, live: sa.Broker, other: sa.Broker) -> None:
        await asyncio.gather(*(live.apublish("a", n) for n in range(200)))
        proxy.drop_replies()
        errors = await asyncio.gather(*(live.apublish("a", n, key=f"k{n}") for n in range(50)), return_exceptions=True)
        assert {type(error) for error in errors} == {PublishTimeoutError}
        proxy.heal()
        ids = await asyncio.gather(*(live.apublish("a", n, key=f"k{n}") for n in range(50)))
        assert ids[-1] == await other.alast_event_id("a"), "each was stored once"
        await live.aclose()
        await other.aclose()

    with (
        RedisServer("valkey" if binary_of("valkey") else "redis") as server,
        FaultProxy("127.0.0.1", server.port) as proxy,
    ):
        through = f"redis://127.0.0.1:{proxy.port}/0"
        with sa.Broker(through, publish_timeout=1.0) as live, sa.Broker(server.url) as other:
            asyncio.run(publish(proxy, live, other))
        clients = server.command("INFO", "stats").decode()
        accepted = next(line for line in clients.splitlines() if line.startswith("total_connections_received:"))
        assert int(accepted.partition(":")[2]) < 20, "not one for each publisher"


@needs_redis
def test_script_that_is_flushed_between_concurrent_publishes_is_loaded_again() -> None:
    async def publish(live: sa.Broker, other: RedisServer) -> None:
        await live.apublish("a", 0)
        other.command("SCRIPT", "FLUSH")
        ids = await asyncio.gather(*(live.apublish("a", n) for n in range(1, 100)))
        assert len(set(ids)) == 99
        await live.aclose()

    with RedisServer("valkey" if binary_of("valkey") else "redis") as server, sa.Broker(server.url) as live:
        asyncio.run(publish(live, server))


@needs_redis
def test_loops_of_several_threads_publish_at_once() -> None:
    ids: list[str] = []

    async def publish(live: sa.Broker) -> None:
        ids.extend(await asyncio.gather(*(live.apublish("a", n) for n in range(50))))

    with sa.Broker(redis_url()) as live:
        threads = [threading.Thread(target=lambda: asyncio.run(publish(live))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
    assert len(set(ids)) == 200
