"""Two workers on one store: the same sequence for all, and a client goes on where it was at the other one."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import pytest

import stream_adapter as sa
from stream_adapter.testing import FaultProxy
from tests.support.servers import ROOT, Server, gunicorn, uvicorn
from tests.support.stores import store

from .crowd import Client, ask, assert_no_silent_gap, crowd, wait_for_all, wait_until

PUBLISHERS, EACH, LISTENERS = 8, 25, 50
LINGER = 0.2  # seconds


class Kind(NamedTuple):
    """How workers are served. `processes`: of one server; the others are servers of their own."""

    name: str
    serve: Callable[..., AbstractContextManager[Server]]
    app: str
    options: tuple[str, ...] = ()
    servers: int = 2

    def serve_one(self, **env: str) -> AbstractContextManager[Server]:
        return self.serve(f"tests.broker.apps.{self.app}", *self.options, BROKER_LINGER=str(LINGER), **env)


THREADS = ("--threads", "80")
UVICORN = Kind("uvicorn-plain", uvicorn, "plain_asgi:app")
KINDS = {
    kind.name: kind
    for kind in (
        UVICORN,
        Kind("gthread-flask", gunicorn, "flask_app:app", ("--workers", "2", *THREADS), servers=1),
        Kind("uvicorn-fastapi", uvicorn, "fastapi_app:app"),
        Kind("uvicorn-django", uvicorn, "django_app:asgi"),
        Kind("uvicorn-workers", uvicorn, "plain_asgi:app", ("--workers", "2"), servers=1),
        Kind("gthread-plain", gunicorn, "plain_wsgi:app", ("--workers", "2", *THREADS), servers=1),
        Kind("gthread-django", gunicorn, "django_app:wsgi", ("--workers", "2", *THREADS), servers=1),
    )
}
BY_DEFAULT = {("redis", "uvicorn-plain"), ("sqlite", "uvicorn-plain"), ("redis", "gthread-flask")}


@dataclass
class Workers:
    """Workers, and a broker of the test itself on the same store."""

    servers: list[Server]
    live: sa.Broker
    url: str
    revoked: Path

    @property
    def are_apart(self) -> bool:
        """Whether a test chooses its worker; a server of several processes answers by any of them."""
        return len(self.servers) > 1

    @property
    def first(self) -> Server:
        return self.servers[0]

    @property
    def second(self) -> Server:
        return self.servers[-1]


@contextmanager
def workers_on(kind: Kind, url: str, **env: str) -> Generator[Workers]:
    with ExitStack() as stack:
        revoked = Path(stack.enter_context(TemporaryDirectory(prefix="sa-"))) / "revoked"
        environment = {"BROKER_URL": url, "BROKER_REVOKED": str(revoked), **env}
        servers = [stack.enter_context(kind.serve_one(**environment)) for _ in range(kind.servers)]
        live = stack.enter_context(sa.Broker(url, prefix="test", publish_timeout=20.0))
        try:
            yield Workers(servers, live, url, revoked)
        except BaseException:
            for server in servers:
                print(server.log())  # noqa: T201  # what pytest shows with a failed test
            raise


def _setups() -> Iterator[object]:
    for engine in ("redis", "sqlite", "postgres"):
        for name in KINDS:
            marks = [] if (engine, name) in BY_DEFAULT else [pytest.mark.servers]
            yield pytest.param((engine, name), id=f"{engine}-{name}", marks=marks)


@pytest.fixture(scope="module", params=list(_setups()))
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    engine, name = request.param
    with store(engine) as url, workers_on(KINDS[name], url) as workers:
        yield workers


@pytest.fixture
def channel() -> str:
    """A channel that no other test has used."""
    return uuid4().hex


PUBLISHER = """
import sys
import stream_adapter as sa
url, channel, name, count = sys.argv[1:]
with sa.Broker(url, prefix="test", publish_timeout=20.0) as live:
    sys.stdin.readline()
    for n in range(int(count)):
        live.publish(channel, [name, n])
"""


def test_eight_publishers_and_fifty_listeners_see_one_order(workers: Workers, channel: str) -> None:
    """G1."""

    async def run() -> list[Client]:
        async with crowd(workers.servers, LISTENERS, f"/events/sse:{channel}") as clients:
            await asyncio.to_thread(publish_from_eight, workers, channel)
            expected = PUBLISHERS * EACH
            await wait_for_all(clients, lambda client: len(client.data) >= expected)
            return clients

    clients = asyncio.run(run())
    first = clients[0].heard[1:]
    for client in clients:
        assert client.resets == []
        assert_no_silent_gap(client)
        assert client.heard[1:] == first
    for name in {str(each.data[0]) for each in first}:
        assert [each.data[1] for each in first if each.data[0] == name] == list(range(EACH))


def publish_from_eight(workers: Workers, channel: str) -> None:
    """Publish from four threads and four processes at once."""
    command = [sys.executable, "-c", PUBLISHER, workers.url, channel]
    processes = [
        subprocess.Popen([*command, f"process {n}", str(EACH)], stdin=subprocess.PIPE, cwd=ROOT) for n in range(4)
    ]

    def publish(name: str) -> None:
        for n in range(EACH):
            workers.live.publish(channel, [name, n])

    threads = [threading.Thread(target=publish, args=(f"thread {n}",)) for n in range(PUBLISHERS - 4)]
    for thread in threads:
        thread.start()
    for process in processes:
        process.communicate(b"go\n", timeout=60)
    for thread in threads:
        thread.join(60)
    assert [process.returncode for process in processes] == [0] * 4


def test_key_publishes_once_whichever_worker_is_asked(workers: Workers, channel: str) -> None:
    """G4."""

    async def run() -> None:
        asked = [ask(server, f"{channel}:key-7=once") for server in workers.servers * 4]
        ids = {*await asyncio.gather(*asked), workers.live.publish(channel, "once", key="key-7")}
        assert len(ids) == 1

    asyncio.run(run())
    assert workers.live.publish(channel, "next").endswith(".2")


def has_heard(client: Client, count: int, connections: int = 1) -> Callable[[], bool]:
    return lambda: len(client.data) == count and len(client.statuses) >= connections


def test_client_goes_on_at_the_other_worker(workers: Workers, channel: str) -> None:
    """G2."""

    async def run() -> None:
        client = Client(f"/events/sse:{channel}")
        for n in range(6):
            client.connect(workers.servers[n % len(workers.servers)])
            await wait_until(has_heard(client, 2 * n, connections=n + 1))
            await wait_until(lambda: client.heard)  # on a busy machine the head comes before it listens
            workers.live.publish(channel, f"heard {n}")
            await wait_until(has_heard(client, 2 * n + 1))
            await client.leave()
            workers.live.publish(channel, f"missed {n}")
        client.connect(workers.second)
        await wait_until(has_heard(client, 12))
        await client.leave()
        assert client.data == [f"{what} {n}" for n in range(6) for what in ("heard", "missed")]
        assert_no_silent_gap(client)

    asyncio.run(run())


def test_history_that_was_trimmed_is_a_reset_at_the_other_worker(workers: Workers, channel: str) -> None:
    """G6."""

    async def run() -> None:
        client = Client(f"/events/sse:{channel}")
        client.connect(workers.first)
        await wait_until(lambda: client.heard)
        workers.live.publish(channel, "heard")
        await wait_until(lambda: client.data)
        await client.leave()
        workers.live.publish_many(channel, range(400))  # past the count of 100, whatever the engine keeps beyond it
        client.connect(workers.second)
        await wait_until(lambda: len(client.data) > 1)
        workers.live.publish(channel, "last")
        await wait_until(lambda: client.data[-1] == "last")
        await client.leave()
        assert_no_silent_gap(client)
        if workers.are_apart or client.resets:
            assert client.resets == ["trimmed"]
            assert len(client.data) == 3
        else:
            assert client.data == ["heard", *range(400), "last"], "the same process, which still had them"

    asyncio.run(run())


@pytest.mark.parametrize("history", [sa.History(age=0.5), sa.History(bytes=1000)], ids=["age", "bytes"])
def test_history_past_its_age_or_bytes_is_a_reset_of_its_channel_alone(
    workers: Workers, channel: str, history: sa.History
) -> None:
    """G6, of one of two channels under one cursor."""

    async def run(short: sa.Broker) -> None:
        client = Client(f"/events/sse:{channel}+{channel}-kept")
        client.connect(workers.first)
        await wait_until(lambda: client.heard)
        short.publish(channel, "heard")
        await wait_until(lambda: client.data)
        await client.leave()
        short.publish_many(channel, ["x" * 900, "y" * 900])
        workers.live.publish(f"{channel}-kept", "missed")
        if history.age < 1:
            await asyncio.sleep(0.7)  # the age, which is what the test is about
        client.connect(workers.second)
        await wait_until(lambda: "missed" in client.data and (client.resets or "y" * 900 in client.data))
        await client.leave()
        if workers.are_apart:
            assert client.resets == ["trimmed"]
            assert client.data.count("missed") == 1

    with sa.Broker(workers.url, prefix="test", history=history, publish_timeout=20.0) as short:
        asyncio.run(run(short))


def test_client_whose_access_was_revoked_is_refused_when_it_resumes(workers: Workers, channel: str) -> None:
    """G13."""

    async def run() -> None:
        client = Client(f"/events/sse:{channel}")
        client.connect(workers.first)
        await wait_until(lambda: client.heard)
        workers.live.publish(channel, "heard")
        await wait_until(lambda: client.data)
        await client.leave()
        workers.revoked.touch()
        workers.live.publish(channel, "secret")
        client.connect(workers.second)
        await wait_until(lambda: client.ends)
        assert client.statuses == [200, 403]
        assert client.data == ["heard"]
        workers.revoked.unlink()
        client.connect(workers.second)
        await wait_until(lambda: client.data[-1] == "secret")
        await client.leave()

    try:
        asyncio.run(run())
    finally:
        workers.revoked.unlink(missing_ok=True)


def test_channel_has_no_subscription_after_its_last_listener(workers: Workers, channel: str) -> None:
    """G11, of the workers; the server's side is in test_redis_workers.py."""

    async def run() -> None:
        async with crowd(workers.servers, 10, f"/events/sse:{channel}"):
            pass
        async with asyncio.timeout(60):
            for server in workers.servers * 4:  # a server of several processes answers by one of them
                while await ask(server, "channels") != "0":  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.05)
                while not (await ask(server, "counts")).endswith(" 0"):  # noqa: ASYNC110  # perhaps the other process
                    await asyncio.sleep(0.05)

    asyncio.run(run())


# G5, on SQLite


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        pytest.param(UVICORN, "replaced", id="uvicorn-replaced"),
        pytest.param(UVICORN, "deleted", id="uvicorn-deleted", marks=pytest.mark.servers),
        pytest.param(KINDS["gthread-django"], "replaced", id="gthread-replaced", marks=pytest.mark.servers),
    ],
)
def test_lost_file_resets_each_listener_of_both_workers_once(kind: Kind, way: str) -> None:
    async def run(workers: Workers, path: Path) -> None:
        async with crowd(workers.servers, 20) as clients:
            workers.live.publish("ticks", "before")
            await wait_for_all(clients, lambda client: client.data == ["before"])
            copy = path.with_suffix(".copy")
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            workers.live.publish_many("ticks", ["lost 1", "lost 2"])
            await wait_for_all(clients, lambda client: len(client.data) == 3)
            if way == "deleted":
                for each in path.parent.glob(f"{path.name}*"):
                    each.unlink()
            else:
                copy.replace(path)
            workers.live.publish_many("ticks", ["new 1", "new 2", "new 3"])  # past what the clients have seen
            await wait_for_all(clients, lambda client: client.resets)
            workers.live.publish("ticks", "last")
            await wait_for_all(clients, lambda client: client.data[-1] == "last")
            for client in clients:
                assert client.resets == ["epoch"]
                assert client.ends == 0
                assert_no_silent_gap(client)

    with store("sqlite") as url, workers_on(kind, url) as workers:
        asyncio.run(run(workers, Path(url.removeprefix("sqlite:///"))))


# G2, with cuts between the workers and the store


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.servers) for seed in range(2, 20))])
def test_cuts_and_reconnects_lose_nothing_in_silence(seed: int) -> None:
    rng = random.Random(seed)
    with ExitStack() as stack:
        url = stack.enter_context(store("redis"))
        port = int(url.rpartition(":")[2].partition("/")[0])
        proxies = [stack.enter_context(FaultProxy("127.0.0.1", port)) for _ in range(2)]
        servers = [
            stack.enter_context(UVICORN.serve_one(BROKER_URL=f"redis://127.0.0.1:{proxy.port}/0")) for proxy in proxies
        ]
        live = stack.enter_context(sa.Broker(url, prefix="test", publish_timeout=20.0))
        asyncio.run(break_and_check(rng, proxies, servers, live))


async def break_and_check(
    rng: random.Random, proxies: list[FaultProxy], servers: list[Server], live: sa.Broker
) -> None:
    async with crowd(servers, 12, stays=True) as clients:
        published = 0
        for _ in range(25):
            action = rng.choice(["publish", "publish", "cut", "refuse", "move", "many", "heal"])
            if action == "publish":
                live.publish("ticks", published)
                published += 1
            elif action == "many":  # past the history, for those who are away
                live.publish_many("ticks", range(published, published + 130))
                published += 130
            elif action == "cut":
                rng.choice(proxies).cut()
            elif action == "refuse":
                rng.choice(proxies).refuse()
            elif action == "heal":
                for proxy in proxies:
                    proxy.heal()
            else:
                client = rng.choice(clients)
                await client.leave()
                client.connect(rng.choice(servers), stays=True)
            await asyncio.sleep(rng.uniform(0, 0.1))  # faults in the midst of what goes on, whatever that is
        for proxy in proxies:
            proxy.heal()
        async with asyncio.timeout(60):  # a reset may have passed over one that came while its server was cut off
            while not all(client.data[-1:] == ["last"] for client in clients):
                live.publish("ticks", "last")
                await asyncio.sleep(0.2)
        for client in clients:
            assert_no_silent_gap(client)
            assert set(client.resets) <= {"trimmed", "slow"}
            numbers = [each for each in client.data if type(each) is int]
            assert numbers == sorted(set(numbers))
            if not client.resets:
                assert len(numbers) == published
