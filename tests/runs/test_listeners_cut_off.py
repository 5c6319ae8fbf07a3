"""Clients of a run whose own process cannot reach the engine for longer than the lease, while the producer can."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio

import pytest

import stream_adapter as sa
from stream_adapter._broker._runs import _watchdog
from stream_adapter.engines import MemoryEngine, Page, RunState
from stream_adapter.errors import BrokerUnavailableError

from .sources import Source, eventually


class _HalfAway(MemoryEngine):
    """An engine that answers a producer, and no listener while it `is_away`."""

    blocks = True
    is_away = False

    def run_state(self, channel: str) -> RunState | None:
        self._check()
        return super().run_state(channel)

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        self._check()
        return super().read(channel, since, limit)

    def _check(self) -> None:
        if self.is_away:
            raise BrokerUnavailableError("the engine is away")


def test_run_that_was_given_up_here_is_followed_again_once_the_engine_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_watchdog, "_GRACE", 0.0)
    monkeypatch.setattr(_watchdog, "_SOON", 0.05)
    engine = _HalfAway()
    source = Source(1, 2, before=1)

    async def use() -> None:
        async with sa.Broker(engine) as live:
            run = await live.run("a", source.asynchronous, lease=0.3).astart()
            reader = aiter(run)
            assert (await anext(reader)).data == 1
            engine.is_away = True
            assert (await anext(reader)).data["run"] == "lost"
            engine.is_away = False
            reader = aiter(run)  # before the channel is forgotten
            assert (await anext(reader)).data == 1
            source.gate.open()
            assert [event.data async for event in reader] == [2, {"status": "done"}]
            assert run.status == "done"

    asyncio.run(use())


def test_end_is_noticed_though_a_look_at_the_lease_met_a_fault_of_the_engine(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_watchdog, "_SOON", 0.05)
    engine = MemoryEngine()
    run_state = engine.run_state

    def fail(channel: str) -> RunState | None:
        monkeypatch.setattr(engine, "run_state", run_state)  # once
        raise ValueError(f"a fault of the engine: {channel}")

    async def use() -> None:
        async with sa.Broker(engine) as live:
            engine.claim("stream@run:a", lease=2.0, retain=60.0)  # by a producer that has died
            run = await live.ajoin("a")
            assert run is not None
            reader = asyncio.ensure_future(anext(aiter(run)))
            await eventually(lambda: engine._watched)
            monkeypatch.setattr(engine, "run_state", fail)
            assert (await reader).data["run"] == "lost"

    asyncio.run(use())
    assert [record.message for record in caplog.records] == ["looking at the lease of a run failed; trying again"]
