"""Engines: from publishing to a subscription in another process, publishing as such, and coming back to a history."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import stream_adapter as sa
from benchmarks.rounds import take_turns
from benchmarks.table import Goal, Table
from tests.support.postgres_server import PostgresServer, binaries
from tests.support.redis_server import KINDS, RedisServer, binary_of

__all__ = ["arrivals", "measure", "publishing", "resuming"]

_ROOT = Path(__file__).resolve().parents[1]
_MANY = 10_000
_BOUND = 60.0  # seconds for a process to subscribe, and for the last event
_PAUSE = 0.01  # seconds between two events
_HISTORY = sa.History(count=2000)
_EVENTS = "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, data TEXT)"
_TURNS = 3
_LIMITS = {"SQLite": 0.9, "PostgreSQL": 5.1}  # ms at p50: 1.5 times their anchors of 0.6 and 3.4 ms


def measure(part: float) -> Iterator[Table]:
    """Measure each engine that is there.

    Args:
        part: of the usual numbers of events and channels.
    """
    with ExitStack() as servers:
        urls: dict[str, str] = {}
        kind = next((kind for kind in KINDS if binary_of(kind)), None)
        if kind is not None and find_spec("redis") is not None:
            urls[kind.capitalize()] = servers.enter_context(RedisServer(kind)).url
        folder = servers.enter_context(TemporaryDirectory())
        urls["SQLite"] = f"sqlite:///{folder}/broker.db"
        if binaries() is not None and find_spec("psycopg") is not None:
            urls["PostgreSQL"] = servers.enter_context(PostgresServer()).url
        yield arrivals(urls, part)
        yield publishing(urls, part)
        yield resuming(urls, part)


def arrivals(urls: dict[str, str], part: float) -> Table:
    """Publish one event at a time, to one of many channels that another process listens to; the ways take turns."""
    table = Table("Published → received by another process: ms", ["", "channels", "p50", "p99"])
    events, many = max(int(100 * part), 3), max(int(_MANY * part), 2)
    for engine, url in urls.items():
        for channels in (1, many) if url.startswith("redis") else (1,):
            delays: dict[str, list[float]] = {}
            for _ in range(_TURNS):
                for way, its_url in _ways(url).items():
                    found = asyncio.run(_delays(way, its_url, channels, events))
                    delays.setdefault(way, []).extend(delay / 1000 for delay in found)
            _add_arrivals(table, engine, channels, delays, events * _TURNS)
    return table


def _ways(url: str) -> dict[str, str]:
    """Return who takes turns at an engine, and the URL of each."""
    ways = {"subscribe": url}
    if url.startswith("redis"):
        ways["redis-py"] = url
        if find_spec("broadcaster") is not None:
            ways["broadcaster"] = url
    if url.startswith("sqlite"):
        ways["sqlite3"] = f"{url}-floor"
    return ways


def _add_arrivals(table: Table, engine: str, channels: int, delays: dict[str, list[float]], events: int) -> None:
    for way, found in delays.items():
        name = f"{way}{'' if way in {'subscribe', 'broadcaster'} else ' by hand'}, {engine}"
        if len(found) < events:
            table.rows.append([name, str(channels), None, None])
            table.notes.append(f"{name}, channels: {channels}: not all events arrived.")
            continue
        p50, p99 = statistics.median(found), statistics.quantiles(found, n=100)[-1]
        table.rows.append([name, str(channels), p50, p99])
        what = f"{name}, channels: {channels}"
        if way == "subscribe":
            table.goals.append(Goal(f"{what}, p50", p50, _LIMITS.get(engine, 1.0), "ms"))
            if "redis-py" in delays:
                table.goals.append(Goal(f"{what}, p99", p99, 10.0, "ms"))


async def _delays(way: str, url: str, channels: int, events: int) -> list[float]:
    """Publish to a child's channels, one event at a time; return the microseconds of each, nothing if one was lost."""
    choose = random.Random(1)  # noqa: S311  # the same channels for all
    async with _Publisher(way, url) as publish:
        if way == "subscribe":
            for number in range(channels):  # what a subscriber with replay=1 receives first
                await publish(f"channel-{number}", "0")
        command = ["-m", "benchmarks.broker_child", way, url, str(channels), str(events)]
        child = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=_ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        try:
            async with asyncio.timeout(_BOUND):
                if await child.stdout.readline() != b"ready\n":
                    raise RuntimeError(f"{way}: the subscribing process has ended")
            for _ in range(events):
                await publish(f"channel-{choose.randrange(channels)}", str(time.monotonic_ns()))
                await asyncio.sleep(_PAUSE)
            async with asyncio.timeout(_BOUND):
                delays: list[float] = json.loads(await child.stdout.readline())
                return delays
        except TimeoutError:  # an event was lost
            return []
        finally:
            child.kill()
            await child.wait()


class _Publisher:
    """How one event is published, in each way."""

    def __init__(self, way: str, url: str) -> None:
        self._way = way
        self._url = url
        self._close: Callable[[], Awaitable[object]]

    async def __aenter__(self) -> Callable[[str, str], Awaitable[object]]:
        if self._way == "subscribe":
            live = sa.Broker(self._url)
            self._close = live.aclose
            return live.apublish
        if self._way == "sqlite3":
            return self._write_by_hand()
        if self._way == "broadcaster":
            from broadcaster import Broadcast  # noqa: PLC0415  # it need not be installed

            broadcast: Any = Broadcast(self._url)
            await broadcast.connect()
            self._close = broadcast.disconnect
            return lambda channel, text: broadcast.publish(channel=channel, message=text)
        from redis.asyncio import Redis  # noqa: PLC0415  # the extra need not be installed

        client: Any = Redis.from_url(self._url)
        self._close = client.aclose
        return lambda channel, text: client.publish(channel, text)  # noqa: PLW0108  # typed

    def _write_by_hand(self) -> Callable[[str, str], Awaitable[object]]:
        path = self._url.removeprefix("sqlite:///")
        file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        waker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", _EVENTS):
            file.execute(statement)

        def write(text: str) -> None:
            file.execute("INSERT INTO events (data) VALUES (?)", (text,))
            with suppress(OSError):  # it does not listen yet
                waker.sendto(b"!", f"{path}-waker")

        async def close() -> None:
            file.close()
            waker.close()
            os.unlink(f"{path}-waker")

        self._close = close
        return lambda _, text: asyncio.to_thread(write, text)

    async def __aexit__(self, *_: object) -> None:
        await self._close()


def publishing(urls: dict[str, str], part: float) -> Table:
    """Publish as fast as one process can."""
    table = Table("Publishing of one process, to 100 channels: events a second", ["", "a second"])
    events = max(int(5000 * part) // 100 * 100, 100)
    data = {"symbol": "ABC", "price": 101.25}
    for engine, url in urls.items():
        with sa.Broker(url) as live:

            def many(live: sa.Broker = live) -> None:
                for start in range(0, events, 100):
                    live.publish_many(f"many-{start % 10_000}", [data] * 100)

            async def concurrently(url: str = url) -> None:
                async with sa.Broker(url) as live:
                    for _ in range(0, events, 100):
                        await asyncio.gather(*(live.apublish(f"one-{number}", data) for number in range(100)))

            runs: dict[str, tuple[Callable[[], object], int]] = {
                "publish_many, 100 each": (many, events),
                "apublish, 100 at a time": (partial(_run, concurrently), events),
            }
            for name, timing in take_turns(runs, 2).items():
                table.rows.append([f"{name}, {engine}", 1 / timing.best])
                if url.startswith("redis"):
                    table.goals.append(Goal(f"{name}, {engine}: µs per event", timing.best * 1e6, 100.0, "µs"))
    return table


def _run(function: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(function())


def resuming(urls: dict[str, str], part: float) -> Table:
    """Read all after a cursor, from a broker that has connected and knows nothing else."""
    count = max(int(1000 * part), 2)
    table = Table(f"Coming back to {count} events in a new process's broker: ms", ["", "ms"])
    for engine, url in urls.items():
        with sa.Broker(url, history=_HISTORY) as live:
            first = live.publish("history", 0)
            live.publish_many("history", list(range(count)))
        milliseconds = min(_resumed(url, first, count) for _ in range(3)) * 1000
        table.rows.append([engine, milliseconds])
        if url.startswith("redis"):
            table.goals.append(Goal(f"{engine}", milliseconds, 20.0, "ms"))
    return table


def _resumed(url: str, cursor: str, count: int) -> float:
    async def resume() -> float:
        async with sa.Broker(url, history=_HISTORY) as live:
            await live.alast_event_id("other")  # connected
            begun = time.perf_counter()
            left = count
            async for _ in live.subscribe("history", since=cursor):
                left -= 1
                if not left:
                    break
            return time.perf_counter() - begun

    return asyncio.run(resume())
