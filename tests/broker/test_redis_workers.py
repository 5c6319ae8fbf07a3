"""Redis behind two workers with many listeners: killed, asked for its connections, and the storm after a deploy."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from functools import partial

import httpx2
import pytest

from tests.support.redis_server import RedisServer, binary_of
from tests.support.servers import Server, uvicorn

from .crowd import BOUND, Client, ask, assert_no_silent_gap, crowd, place_of, wait_for_all, wait_until
from .test_workers import KINDS, Kind, Workers, has_heard, workers_on

heavy = pytest.mark.servers
UVICORN, GTHREAD = KINDS["uvicorn-plain"], KINDS["gthread-flask"]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    kind = "valkey" if binary_of("valkey") else "redis"
    if binary_of(kind) is None:
        pytest.skip("needs a valkey or redis server")
    with RedisServer(kind) as server:
        yield server


# G5


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param(UVICORN, 60, id="uvicorn-60"),
        pytest.param(UVICORN, 500, marks=heavy, id="uvicorn-500"),
        pytest.param(GTHREAD, 50, marks=heavy, id="gthread-50"),
        pytest.param(KINDS["uvicorn-django"], 60, marks=heavy, id="django-60"),
    ],
)
def test_killed_store_leaves_listeners_with_keepalives_and_then_one_reset(
    redis: RedisServer, kind: Kind, count: int
) -> None:
    async def run(workers: Workers) -> None:
        async with crowd(workers.servers, count) as clients:
            for n in range(20):
                workers.live.publish("ticks", n)
            redis.kill()
            before = [client.keepalives for client in clients]
            await wait_until(
                lambda: all(client.keepalives >= was + 3 for client, was in zip(clients, before, strict=True))
            )
            redis.start()
            workers.live.publish("ticks", "back")
            await wait_for_all(clients, lambda client: client.resets)
            for n in range(20):
                workers.live.publish("ticks", n)
            workers.live.publish("ticks", "last")
            await wait_for_all(clients, lambda client: client.data[-1] == "last")
            for client in clients:
                assert client.ends == 0
                assert client.resets == ["epoch"]
                assert_no_silent_gap(client)
                assert client.data[-21:] == [*range(20), "last"]

    with workers_on(kind, redis.url) as workers:
        asyncio.run(run(workers))


def test_listeners_during_an_outage_fail_soon_and_receive_again_after_it(
    redis: RedisServer,
) -> None:
    """They are refused at once: to ask an engine that is away takes 5 s, after which the status would be sent."""

    async def run(workers: Workers) -> None:
        async with crowd([workers.first], 2) as clients:
            redis.kill()
            late = [Client(f"/events/sse:new-{n}") for n in range(12)]
            for client in late:
                client.connect(workers.first, stays=True)
            await wait_for_all(late, lambda client: client.ends, bound=30)
            assert not any(client.resets or client.last_id for client in late)
            assert {status for client in late for status in client.statuses} == {503}
            redis.start()
            await wait_for_all(late, lambda client: client.last_id)
            for n, client in enumerate(late):
                workers.live.publish(f"new-{n}", "first")
                await wait_until(has_heard(client, 1, connections=len(client.statuses)))
                await client.leave()
            assert [client.ends for client in clients] == [0, 0]

    with workers_on(UVICORN, redis.url) as workers:
        asyncio.run(run(workers))


def test_event_source_that_comes_during_an_outage_is_not_refused_and_hears_after_it(redis: RedisServer) -> None:
    """It would stop for good at a status but 200, and reconnects after a stream that breaks."""

    async def run(workers: Workers) -> None:
        async with crowd([workers.first], 1):
            redis.kill()
            late = [Client(f"/events/sse:new-{n}", is_event_source=True) for n in range(3)]
            for client in late:
                client.connect(workers.first, stays=True)
            await wait_for_all(late, lambda client: client.statuses)
            redis.start()
            for n, client in enumerate(late):
                await wait_for_all([client], lambda client: client.last_id)
                workers.live.publish(f"new-{n}", "first")
                await wait_for_all([client], lambda client: client.data)
                assert (client.data, set(client.statuses)) == (["first"], {200})
                await client.leave()

    with workers_on(UVICORN, redis.url) as workers:
        asyncio.run(run(workers))


def test_first_listener_of_a_worker_without_an_engine_is_refused_with_503_and_retry_after(redis: RedisServer) -> None:
    redis.kill()
    with workers_on(UVICORN, redis.url, BROKER_KEEPALIVE=str(BOUND)) as workers:  # no comment comes before the refusal
        for _ in range(2):
            response = httpx2.get(f"{workers.first.url}/events/sse", timeout=BOUND)
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        redis.start()

        async def run() -> None:
            async with crowd([workers.first], 1, stays=True) as [client]:
                workers.live.publish("ticks", 1)
                await wait_until(lambda: client.data == [1])

        asyncio.run(run())


# G11


@pytest.mark.parametrize(
    ("count", "channels"), [(120, 40), pytest.param(10_000, 2_000, marks=heavy)], ids=["120-on-40", "10000-on-2000"]
)
def test_connections_do_not_grow_with_listeners_and_nothing_stays_behind(
    redis: RedisServer, count: int, channels: int
) -> None:
    async def run(workers: Workers) -> None:
        tasks = [int(await ask(server, "tasks")) for server in workers.servers]
        clients = [Client(f"/events/sse:c{n % channels}") for n in range(count)]
        for start in range(0, count, 100):  # as many as a server's backlog takes at a time
            for n, client in enumerate(clients[start : start + 100], start):
                client.connect(workers.servers[n // channels % 2])
            await wait_for_all(clients[start : start + 100], lambda client: client.heard)
        for n in range(channels):
            workers.live.publish(f"c{n}", n, key="k")
        await wait_for_all(clients, lambda client: client.data)
        assert [client.data for client in clients] == [[n % channels] for n in range(count)]
        described = redis.command("CLIENT", "LIST").decode()
        connections = len(re.findall(r"(?m)(?:^|\n|\r)id=", described)) - 1  # this one
        assert connections <= 3 * (1 + 8)
        for client in clients:
            await client.leave()
        await wait_until(lambda: redis.command("PUBSUB", "CHANNELS", "*") == b"*0\r\n")
        for server, before in zip(workers.servers, tasks, strict=True):
            while await ask(server, "channels") != "0" or int(await ask(server, "tasks")) > before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # another process

    async def run_in_time(workers: Workers) -> None:
        async with asyncio.timeout(1800):
            await run(workers)

    with workers_on(UVICORN, redis.url) as workers:
        asyncio.run(run_in_time(workers))
    keys = [line.decode() for line in redis.command("KEYS", "*").split(b"\r\n") if line.startswith(b"{")]
    assert len(keys) == 3 * channels
    for key in keys[:500]:
        assert int(redis.command("PTTL", key)[1:]) > 0, key


# G14


@pytest.mark.parametrize("count", [60, pytest.param(2_000, marks=heavy)])
def test_clients_of_a_worker_that_drains_come_back_spread_and_share_one_read(redis: RedisServer, count: int) -> None:
    async def run(workers: Workers) -> None:
        async with crowd([workers.first], count) as clients:
            workers.live.publish("ticks", "heard")
            await wait_for_all(clients, lambda client: client.data)
            workers.first.process.send_signal(signal.SIGTERM)
            await wait_for_all(clients, lambda client: client.ends)
            waits = {client.retries[-1] for client in clients}
            assert len(waits) > count // 10, "each waits for another while"
            assert max(waits) - min(waits) >= 500
            for n in range(30):
                workers.live.publish("ticks", n)
            before = scripts_run(redis)
            for start in range(0, count, 100):
                for client in clients[start : start + 100]:
                    client.connect(workers.second)
                await wait_for_all(clients[start : start + 100], lambda client: len(client.data) == 31)
            assert scripts_run(redis) - before <= 10
            for client in clients:
                assert client.resets == []
                assert_no_silent_gap(client)
                assert place_of(client.last_id)[1] == 31

    with workers_on(UVICORN, redis.url) as workers:
        asyncio.run(run(workers))


def scripts_run(redis: RedisServer) -> int:
    """Return how often the server has been asked for anything about a channel."""
    found = re.search(rb"cmdstat_evalsha:calls=(\d+)", redis.command("INFO", "commandstats"))
    assert found is not None
    return int(found[1])


# G7


HELD = 192 << 10  # bytes for a reader that stalls: the block that is sent and the server's write buffer, 64 KiB each
MARGIN = 16 << 20


@pytest.mark.parametrize("count", [40, pytest.param(1_000, marks=heavy)])
def test_readers_that_stall_slow_no_other_and_grow_nothing(redis: RedisServer, count: int) -> None:
    payload, full, rounds = "x" * 4000, 900, 1500

    async def run(workers: Workers, server: Server) -> None:
        stalled = [Client(buffer=4096) for _ in range(count)]
        first = stalled[:5]
        fast = Client()
        for start in range(0, count, 100):
            for client in stalled[start : start + 100]:
                client.connect(server, stays=client in first)  # one that reads nothing is disconnected in the end
            await wait_for_all(stalled[start : start + 100], lambda client: client.heard)
        fast.connect(server)
        await wait_until(lambda: fast.heard)
        for client in stalled:
            client.pause()
        before = server.peak_memory()
        for n in range(300):  # what fills the sockets, and the ring
            await asyncio.to_thread(workers.live.publish, "ticks", [n, payload])  # the clients read in the meantime
            if n % 20 == 19:  # which takes a busy server longer than the publisher
                await wait_until(has_heard(fast, n + 1))

        async def publish(first: int, last: int) -> None:
            for start in range(first, last, 20):
                workers.live.publish_many("ticks", [[n, payload] for n in range(start, start + 20)])
                await wait_until(has_heard(fast, start + 20))

        await publish(300, full)  # more than the kernel keeps for a socket
        held = server.peak_memory() - before
        assert held < MARGIN + count * HELD, "3.6 MB were published for each of them"
        await publish(full, rounds)
        assert server.peak_memory() - before - held < MARGIN, "2.4 MB were published for each of them"
        assert fast.resets == []
        assert_no_silent_gap(fast)
        for client in first:
            client.go_on()
        await wait_for_all(first, lambda client: client.resets)
        workers.live.publish("ticks", "last")
        await wait_for_all(first, lambda client: client.data[-1] == "last")
        for client in first:
            assert_no_silent_gap(client)
            assert set(client.resets) <= {"slow", "trimmed"}
        for client in [*stalled, fast]:
            await client.leave()
        async with asyncio.timeout(60):
            while await ask(server, "channels") != "0":  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.05)

    # without a bound the kernel would keep more for a thousand connections than a small machine lets it
    served = UVICORN._replace(servers=1, serve=partial(uvicorn, send_buffer=256 << 10))
    with workers_on(served, redis.url) as workers:
        asyncio.run(run(workers, workers.first))
