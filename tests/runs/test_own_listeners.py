"""Listeners of a run in the process that produces it have what is stored at once: notices are for other processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.engines import Page, RunState
from stream_adapter.engines.sqlite import SQLiteEngine
from tests.broker.reading import BOUND

from .sources import Source


class _Unwatched(SQLiteEngine):
    """An engine that does not watch until it is released, and notes what a run asks it for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_released = threading.Event()
        self.asked: list[str] = []

    def watch_many(self, channels: Iterable[str]) -> None:
        self.is_released.wait(BOUND)
        super().watch_many(channels)

    def claim(self, *arguments: Any, **options: Any) -> RunState:
        self.asked.append("claim")
        return super().claim(*arguments, **options)

    def read_many(self, readings: Iterable[tuple[str, int | None, int]]) -> list[Page]:
        self.asked.append("read")
        return super().read_many(readings)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[_Unwatched]:
    engine = _Unwatched(tmp_path / "broker.db")
    yield engine
    engine.is_released.set()


async def _data(run: sa.Run) -> list[Any]:
    return [event.data async for event in run]


def test_run_reaches_its_own_process_before_that_is_notified(engine: _Unwatched) -> None:
    source = Source("one", "two", before=1)

    async def use(live: sa.Broker) -> None:
        async with asyncio.timeout(BOUND):
            run = live.run("a", source.asynchronous)
            events = aiter(run)
            assert (await anext(events)).data == "one"
            assert engine.asked == ["claim"]
            source.gate.open()
            assert [event.data async for event in events] == ["two", {"status": "done"}]
            assert engine.asked == ["claim"]

    with sa.Broker(engine) as live:
        asyncio.run(use(live))
        engine.is_released.set()


def test_notices_that_come_after_what_was_reported_deliver_nothing_twice(engine: _Unwatched) -> None:
    engine.is_released.set()
    source = Source(*range(50), before=25)
    threading.Timer(0.2, source.gate.open).start()
    with sa.Broker(engine) as live:
        assert asyncio.run(_data(live.run("a", source.sync))) == [*range(50), {"status": "done"}]
        assert asyncio.run(_data(live.run("a", source.sync))) == [*range(50), {"status": "done"}]


def test_channel_is_watched_in_the_end_and_its_newer_run_is_followed(engine: _Unwatched, tmp_path: Path) -> None:
    """A run of this process ends; another process begins the next one before this one watches."""

    async def use(live: sa.Broker, other: sa.Broker) -> None:
        async with asyncio.timeout(BOUND):
            assert await _data(live.run("a", Source(1).asynchronous)) == [1, {"status": "done"}]
            source = Source(2, 3, before=1)
            await other.run("a", source.asynchronous, if_done="restart").astart()
            joined = await live.ajoin("a")
            assert joined is not None
            following = asyncio.ensure_future(_data(joined))
            engine.is_released.set()
            source.gate.open()
            assert await following == [2, 3, {"status": "done"}]

    with sa.Broker(engine) as live, sa.Broker(f"sqlite:///{tmp_path}/broker.db") as other:
        asyncio.run(use(live, other))


def test_cancellation_from_before_the_channel_is_watched_is_seen_once_it_is(engine: _Unwatched, tmp_path: Path) -> None:
    async def use(live: sa.Broker, other: sa.Broker) -> None:
        async with asyncio.timeout(BOUND / 2):
            source = Source(1, 2, before=1)
            run = await live.run("a", source.asynchronous, lease=600).astart()
            assert run.id is not None
            assert await other.acancel("a", run=run.id)
            engine.is_released.set()
            assert [event.event async for event in run] == [None, "error"]
            assert (run.status, source.closed) == ("cancelled", 1)

    with sa.Broker(engine) as live, sa.Broker(f"sqlite:///{tmp_path}/broker.db") as other:
        asyncio.run(use(live, other))


def test_run_without_clients_is_not_counted_as_a_listener() -> None:
    source = Source("one", "two", before=1)

    async def use(live: sa.Broker) -> None:
        run = await live.run("a", source.asynchronous).astart()
        assert live.stats().listeners == 0
        events = aiter(run)
        assert (await anext(events)).data == "one"
        assert live.stats().listeners == 1
        source.gate.open()
        assert [event.data async for event in events] == ["two", {"status": "done"}]

    with sa.Broker() as live:
        asyncio.run(asyncio.wait_for(use(live), BOUND))
