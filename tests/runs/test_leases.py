"""The leases of one loop's runs are renewed together, each before its end."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter._broker._runs._lease import Lease
from stream_adapter.engines import Frame, MemoryEngine, Position, RunState, RunStatus
from stream_adapter.engines._together import renew_each
from stream_adapter.engines.sqlite import SQLiteEngine
from stream_adapter.errors import FencedError
from tests.broker.reading import BOUND

from .sources import Source, eventually, until


class _Counting(MemoryEngine):
    """Notes the channels of each exchange, and may fail some."""

    def __init__(self, failures: int = 0, failure: Exception | None = None) -> None:
        super().__init__()
        self.exchanges: list[list[str]] = []
        self.failures = failures
        self.failure = failure

    def renew_many(self, renewals: Iterable[tuple[str, int, float]]) -> list[RunState | FencedError]:
        renewals = list(renewals)
        self.exchanges.append([channel for channel, _, _ in renewals])
        if self.failures:
            self.failures -= 1
            if self.failure is None:
                return []  # a fault of the engine, too
            raise self.failure
        return renew_each(self, renewals)


def test_leases_of_many_runs_are_renewed_in_a_few_exchanges() -> None:
    engine, count, lease = _Counting(), 300, 3.0

    async def use(live: sa.Broker) -> None:
        goes_on = asyncio.Event()

        async def answer() -> AsyncGenerator[int]:
            await goes_on.wait()
            yield 1

        begun = time.monotonic()
        runs = [await live.run(f"a{n}", answer, lease=lease).astart() for n in range(count)]
        await eventually(lambda: len({name for exchange in engine.exchanges for name in exchange}) == count)
        assert len(engine.exchanges) <= 1 + (time.monotonic() - begun) / (lease / 6)  # half a period apart
        assert len(asyncio.all_tasks()) <= 2 * count + 1  # a source and a writer each
        goes_on.set()
        await eventually(lambda: all(run.status == "done" for run in runs))

    with sa.Broker(engine) as live:
        asyncio.run(use(live))


@pytest.mark.parametrize("failure", [sa.BrokerUnavailableError("away"), ValueError("a fault of the engine"), None])
def test_lease_outlives_failed_renewals_and_the_run_goes_on(failure: Exception | None) -> None:
    engine, source = _Counting(2, failure), Source(1, 2, before=1)

    async def use(live: sa.Broker) -> None:
        run = await live.run("a", source.asynchronous, lease=1.5).astart()
        await eventually(lambda: len(engine.exchanges) > 3)
        source.gate.open()
        assert [event.data async for event in run] == [1, 2, {"status": "done"}]

    with sa.Broker(engine) as live:
        asyncio.run(use(live))


def test_run_past_its_timeout_ends_while_a_renewal_is_under_way(tmp_path: Path) -> None:
    source, begun, released = Source(1, before=1), threading.Event(), threading.Event()

    class Slow(SQLiteEngine):
        def renew_many(self, renewals: Iterable[tuple[str, int, float]]) -> list[RunState | FencedError]:
            begun.set()
            released.wait(BOUND)
            return super().renew_many(renewals)

    async def use(live: sa.Broker) -> None:
        async with asyncio.timeout(BOUND):
            await live.run("a", source.asynchronous, lease=1.5).astart()  # whose renewal is the one under way
            timed = live.run("b", source.asynchronous, lease=60, timeout=1.0)
            assert [event.data async for event in timed][-1]["run"] == "error"
            assert begun.is_set()
            released.set()
            source.gate.open()

    with sa.Broker(Slow(tmp_path / "broker.db")) as live:
        asyncio.run(use(live))


def test_loop_that_has_ended_is_not_kept_by_its_leases() -> None:
    async def answer() -> AsyncGenerator[int]:
        yield 1

    async def use(live: sa.Broker) -> weakref.ref[asyncio.AbstractEventLoop]:
        assert [event.data async for event in live.run("a", answer)] == [1, {"status": "done"}]
        return weakref.ref(asyncio.get_running_loop())

    with sa.Broker() as live:
        loop = asyncio.run(use(live))

        def is_gone() -> bool:
            gc.collect()
            return loop() is None

        until(is_gone)  # what finds sources that block holds the last loop until it looks again


def test_run_goes_on_after_its_loop_was_blocked_for_longer_than_the_lease(live: sa.Broker) -> None:
    source = Source(1, 2, before=1)

    async def use() -> None:
        run = await live.run("a", source.asynchronous, lease=0.2).astart()
        reader = aiter(run)
        assert (await anext(reader)).data == 1
        time.sleep(0.6)  # noqa: ASYNC251  # what it is about
        joined = await live.ajoin("a")
        assert joined is not None
        assert joined.status == "running"
        source.gate.open()
        assert [event.data async for event in reader] == [2, {"status": "done"}]

    asyncio.run(use())


def test_run_whose_loop_has_gone_without_ending_it_is_lost(live: sa.Broker) -> None:
    source = Source(1, before=1)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(live.run("a", source.asynchronous, lease=0.2).astart())
    joined = live.join("a")
    assert joined is not None
    assert [event.data for event in joined][-1]["run"] == "lost"
    while tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_lease_that_is_renewed_late_outlives_a_lost_connection_and_not_an_engine_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine has slept: the first attempt fails, for the connection is gone, and the engine answers the next."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    state = RunState("epoch", 1, "running", 0.0, granted=True)
    away = sa.BrokerUnavailableError("the connection was lost")
    lease = Lease("a", state, 15.0, None, lambda _: None)
    now += 3600
    lease.ask(now)
    assert lease.answer(away) is None
    now = lease.due
    lease.ask(now)
    assert lease.answer(state) is None
    for _ in range(100):  # from now on the engine is away
        now = lease.due
        lease.ask(now)
        if lease.answer(away) is not None:
            break
    assert 15.0 <= now - 4600 <= 17.0


class _Faulty(MemoryEngine):
    """An engine with a fault: so many calls of a method raise what no caller expects."""

    def __init__(self, method: str, failures: int, *, blocks: bool) -> None:
        super().__init__()
        self.blocks = blocks
        self._method, self._failures = method, failures

    def append_many(self, *arguments: Any, **options: Any) -> list[Position]:
        self._fail("append")
        return super().append_many(*arguments, **options)

    def finish(self, channel: str, token: int, status: RunStatus, frames: Sequence[Frame] = ()) -> RunState:
        self._fail("finish")
        return super().finish(channel, token, status, frames)

    def _fail(self, method: str) -> None:
        if method == self._method and self._failures:
            self._failures -= 1
            raise ValueError("a fault of the engine")


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("method", ["append", "finish"])
def test_run_outlives_a_fault_of_the_engine_that_passes(
    method: str, blocks: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> None:
        async with sa.Broker(_Faulty(method, 2, blocks=blocks)) as live:
            source = Source(1, 2, before=1)
            reader = aiter(live.run("a", source.asynchronous))
            assert (await anext(reader)).data == 1
            source.gate.open()
            assert [event.data async for event in reader] == [2, {"status": "done"}]

    asyncio.run(use())
    assert [record.levelname for record in caplog.records if "the engine failed" in record.message] == ["ERROR"]


def test_source_is_closed_when_its_engine_fails_for_longer_than_the_lease() -> None:
    source = Source(1, before=1)

    async def use() -> None:
        async with sa.Broker(_Faulty("append", 1_000_000, blocks=True)) as live:
            run = await live.run("a", source.asynchronous, lease=0.3).astart()
            await eventually(lambda: source.closed)
            assert run.status == "lost"

    asyncio.run(use())
