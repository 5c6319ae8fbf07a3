"""How runs end before their source does: cancelled, past a limit, left by clients, drained, without an engine."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import ctypes
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter import _lifecycle
from stream_adapter._broker._hub import Hub
from stream_adapter._broker._runs import _driving, _production, _registry
from stream_adapter.engines import Frame, MemoryEngine, Position
from stream_adapter.errors import FencedError, UnsupportedError
from tests.broker.reading import BOUND, reading
from tests.support.redis_server import RedisServer, binary_of

from .conftest import Peer
from .sources import Source, body_of, eventually, fields_of


def _last(body: bytes) -> dict[str, Any]:
    return fields_of(body)[-1]


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_cancelled_run_keeps_its_items_and_closes_its_source(live: sa.Broker, peer: Peer, kind: str) -> None:
    source = Source("one", "two", before=1)

    async def use() -> None:
        run = live.run("a", getattr(source, kind), lease=60.0)
        other = peer()
        reader = asyncio.create_task(body_of(sa.sse(run)))
        joined = await other.ajoin("a", wait=BOUND)
        assert joined is not None
        assert joined.id is not None
        assert await other.acancel("a", run=joined.id) is True
        body = await reader
        assert [event["data"] for event in fields_of(body)[:-1]] in (["one"], [])
        assert _last(body)["data"]["run"] == "cancelled"
        assert run.status == "cancelled"
        source.gate.open()
        await eventually(lambda: source.closed == 1 or not source.calls)
        assert await other.acancel("a", run=joined.id) is False

    asyncio.run(use())


def test_cancel_without_notices_is_seen_when_the_lease_is_renewed(
    live: sa.Broker, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(1, 2, before=1)

    def silence(hub: Hub, channel: str | None = None) -> None:
        """Stand for Pub/Sub that is cut."""

    monkeypatch.setattr(Hub, "changed", silence)

    async def use() -> None:
        run = await live.run("a", source.asynchronous, lease=1.5).astart()
        assert run.id is not None
        assert await peer().acancel("a", run=run.id) is True
        await eventually(lambda: run.status == "cancelled")
        assert source.closed == 1

    asyncio.run(use())


def test_run_under_gevent_is_refused_and_claims_nothing(live: sa.Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise UnsupportedError("gevent has patched the threads")

    monkeypatch.setattr(_registry, "background_loop", refuse)
    for start in (live.run("a", Source(1).sync).start, lambda: live.produce("a", [1])):
        with pytest.raises(UnsupportedError, match="a run cannot be produced in a worker that gevent has patched"):
            start()
    assert live.join("a") is None


def test_cancel_never_ends_a_newer_run_or_one_of_another_key(live: sa.Broker) -> None:
    first, second = Source(1), Source(2, before=1)

    async def use() -> None:
        old = live.run("a", first.asynchronous)
        await body_of(sa.sse(old))
        assert old.id is not None
        new = await live.run("a", second.asynchronous, if_done="restart").astart()
        assert new.id is not None
        for run in (old.id, f"x{new.id}", new.id[:-1], f"{new.id}.1", "", "é", "a" * 300):
            assert await live.acancel("a", run=run) is False
        assert await live.acancel("b", run=new.id) is False
        second.gate.open()
        assert _last(await body_of(sa.sse(new)))["data"] == {"status": "done"}

    asyncio.run(use())


def test_stopped_run_that_still_closes_is_not_joined_by_a_restart(live: sa.Broker) -> None:
    held, answer = threading.Event(), Source("new")

    def slow() -> Generator[str]:
        yield "old"
        held.wait(BOUND)
        yield "late"

    async def use() -> None:
        run = live.run("a", slow, lease=60.0)
        async with reading(sa.sse(run)) as reader:
            await reader.events(1)
            assert run.id is not None
            await live.acancel("a", run=run.id)
            newer = live.run("a", answer.asynchronous, if_done="restart")
            assert [event["data"] for event in fields_of(await body_of(sa.sse(newer)))] == ["new", {"status": "done"}]
        held.set()
        assert await body_of(sa.sse(live.run("a", answer.asynchronous))) != b""

    asyncio.run(use())


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_run_past_a_limit_ends_with_an_error_that_names_it(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    live = sa.Broker()
    many, much = Source(*range(10_001)), Source(*["x" * (1 << 20)] * 9)
    whole, bytes_whole = Source(*range(10_000)), Source(*["x" * (1 << 20)] * 8)
    with caplog.at_level(logging.ERROR, "stream_adapter"):
        for key, source, detail in (
            ("a", many, "the run has more than 10,000 records"),
            ("b", much, "the run has more than 8 MiB"),
        ):
            *items, last = live.run(key, getattr(source, kind))
            assert (last.event, last.data["run"], last.data["detail"]) == ("error", "error", detail)
            assert len(items) == (10_000 if key == "a" else 8)
            assert source.closed == 1
    assert len(caplog.records) == 2
    for key, source in (("c", whole), ("d", bytes_whole)):
        *_, last = live.run(key, getattr(source, kind))
        assert last.data == {"status": "done"}


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_run_past_its_timeout_ends_with_an_error_that_names_it(live: sa.Broker, kind: str) -> None:
    source = Source("one", "two", before=1)
    body = asyncio.run(body_of(sa.sse(live.run("a", getattr(source, kind), timeout=0.3))))
    if kind == "sync":
        source.gate.open()
    assert _last(body)["data"]["detail"] == "the run took longer than its timeout of 0.3 s"
    assert fields_of(body)[0]["data"] == "one"


def test_client_that_leaves_cancels_a_run_only_if_that_was_asked(live: sa.Broker) -> None:
    source = Source(1, 2, before=1)

    async def leave(run: sa.Run) -> None:
        async with reading(sa.sse(run)) as reader:
            await reader.events(1)

    async def use() -> None:
        run = live.run("a", source.asynchronous)
        await leave(run)
        assert run.status == "running"
        source.gate.open()
        await eventually(lambda: run.status == "done")
        ended = live.run("b", source.asynchronous, on_disconnect="cancel")
        async with reading(sa.sse(live.run("b", source.asynchronous))) as other:
            await other.events(1)
            await leave(ended)
            assert ended.status == "running"  # another one reads it
        assert ended.id is not None
        await eventually(lambda: ended.status == "cancelled")
        complete = live.run("c", Source(1).asynchronous, on_disconnect="cancel")
        await body_of(sa.sse(complete))
        assert complete.status == "done"

    asyncio.run(use())


def test_leaving_an_iteration_cancels_a_run_if_that_was_asked(live: sa.Broker) -> None:
    source = Source(1, 2, before=1)
    run = live.run("a", source.asynchronous, on_disconnect="cancel")
    iterator = iter(run)
    assert next(iterator).data == 1
    iterator.close()  # type: ignore[attr-defined]  # it is a generator
    asyncio.run(eventually(lambda: run.status == "cancelled"))
    assert source.closed == 1


def test_drain_gives_runs_their_grace(live: sa.Broker) -> None:
    source = Source(1, 2, before=1)
    run = live.run("a", source.asynchronous).start()
    threading.Timer(0.3, source.gate.open).start()
    _lifecycle.drain(BOUND)
    assert run.status == "done"
    assert [event.data for event in run] == [1, 2, {"status": "done"}]


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_drain_ends_runs_as_cancelled_after_their_grace(live: sa.Broker, peer: Peer, kind: str) -> None:
    source = Source(1, 2, before=1)
    run = live.run("a", getattr(source, kind), on_disconnect="cancel").start()
    assert next(iter(run)).data == 1
    _lifecycle.drain(0.1)
    assert run.status == "cancelled"
    joined = peer().join("a")
    assert joined is not None
    assert [event.data for event in joined][:-1] == [1]
    assert joined.status == "cancelled"
    source.gate.open()


def test_closing_the_broker_ends_its_runs(peer: Peer, url: str) -> None:
    if url == "memory://":
        pytest.skip("goes with its broker")
    source = Source(1, 2, before=1)
    broker = peer()
    run = broker.run("a", source.asynchronous).start()
    broker.close()
    assert run.status == "cancelled"
    joined = peer().join("a")
    assert joined is not None
    assert joined.status == "cancelled"
    source.gate.open()


def test_end_of_the_loop_ends_its_runs_as_cancelled(live: sa.Broker, peer: Peer) -> None:
    source = Source(1, 2, before=1)

    async def use() -> None:
        async with reading(sa.sse(live.run("a", source.asynchronous))) as reader:
            await reader.events(1)

    asyncio.run(use())
    joined = peer().join("a")
    assert joined is not None
    assert [event.data for event in joined][0] == 1  # noqa: RUF015  # to the end
    assert joined.status == "cancelled"
    assert source.closed == 1


def test_producer_whose_place_was_taken_is_fenced_and_closes_its_source() -> None:
    engine, source = MemoryEngine(), Source(1, 2, before=1)
    live = sa.Broker(engine)

    async def use() -> None:
        run = await live.run("a", source.asynchronous, lease=0.5).astart()
        [channel] = [name for name in engine._channels if "@run" in name]
        found = engine._channels[channel]
        await eventually(lambda: found.top)
        found.run = None  # as after a restart of the store
        engine.claim(channel, lease=9, retain=9)
        await eventually(lambda: source.closed)
        assert run.status == "lost"
        assert found.top == 0

    asyncio.run(use())


class _Failing(MemoryEngine):
    """Fails so many appends, after storing or before."""

    def __init__(self, failures: int, *, stores: bool) -> None:
        super().__init__()
        self.failures = failures
        self.stores = stores
        self.batches: list[int] = []

    def append_many(self, channel: str, frames: Any, **options: Any) -> list[Position]:
        self.batches.append(len(frames))
        if self.failures:
            self.failures -= 1
            if self.stores:
                super().append_many(channel, frames, **options)
            raise sa.PublishTimeoutError("no answer")
        return super().append_many(channel, frames, **options)


@pytest.mark.parametrize("stores", [False, True])
def test_append_without_an_answer_is_neither_lost_nor_stored_twice(stores: bool) -> None:
    live = sa.Broker(_Failing(2, stores=stores))
    source = Source(1, 2, 3, before=2)
    threading.Timer(0.3, source.gate.open).start()
    assert [event.data for event in live.run("a", source.asynchronous)] == [1, 2, 3, {"status": "done"}]


def test_items_that_are_ready_together_go_in_one_append() -> None:
    engine = _Failing(0, stores=True)
    source = Source(*range(1000), before=900)
    threading.Timer(0.3, source.gate.open).start()
    *items, _ = sa.Broker(engine).run("a", source.asynchronous)
    assert [item.data for item in items] == list(range(1000))
    assert len(engine.batches) <= 5
    assert max(engine.batches) <= 256  # and no more is in flight


def test_engine_that_goes_away_ends_the_run_and_informs_its_clients(caplog: pytest.LogCaptureFixture) -> None:
    kind = "valkey" if binary_of("valkey") else "redis"
    if binary_of(kind) is None:
        pytest.skip("needs a valkey or redis server")
    closed = threading.Event()

    async def endless() -> AsyncGenerator[int]:
        try:
            for number in range(100_000):
                yield number
                await asyncio.sleep(0.02)
        finally:
            closed.set()

    async def use() -> None:
        with RedisServer(kind) as server, sa.Broker(server.url) as live:
            run = live.run("a", endless, lease=1.0)
            async with reading(sa.sse(run)) as reader:
                await reader.events(3)
                server.kill()
                await reader.until(lambda received: b'"run":"lost"' in received)
            await eventually(closed.is_set)
            assert run.status == "lost"

    with caplog.at_level(logging.CRITICAL, "stream_adapter"):
        asyncio.run(use())


def test_engine_that_comes_back_within_the_lease_loses_nothing() -> None:
    kind = "valkey" if binary_of("valkey") else "redis"
    if binary_of(kind) is None:
        pytest.skip("needs a valkey or redis server")
    source = Source(*range(50), before=25)

    async def use() -> None:
        with RedisServer(kind) as server, sa.Broker(server.url, publish_timeout=0.3) as live:
            run = live.run("a", source.asynchronous, lease=30.0)
            async with reading(sa.sse(run)) as reader:
                await reader.events(25)
                server.freeze()
                source.gate.open()
                await asyncio.sleep(1)  # longer than an append may take
                server.thaw()
                assert [event["data"] for event in (await reader.events(51))[:-1]] == list(range(50))

    asyncio.run(use())


@pytest.mark.parametrize("kind", ["sync", "asynchronous"])
def test_produce_is_a_producer_that_others_join(live: sa.Broker, peer: Peer, kind: str) -> None:
    source = Source(1, 2, before=1)
    results: list[sa.Run] = []
    producing = threading.Thread(target=lambda: results.append(live.produce("a", getattr(source, kind)())))
    producing.start()
    other = peer()
    joined = other.join("a", wait=BOUND)
    assert joined is not None
    assert joined.status == "running"
    with pytest.raises(sa.RunConflictError):
        other.produce("a", [1])
    source.gate.open()
    assert [event.data for event in joined] == [1, 2, {"status": "done"}]
    producing.join(BOUND)
    assert results[0].status == "done"
    assert results[0].id == joined.id
    again = other.produce("a", [3])
    assert [event.data for event in again] == [3, {"status": "done"}]


def test_produce_that_fails_or_is_cancelled_returns_its_run(live: sa.Broker) -> None:
    def fails() -> Generator[int]:
        yield 1
        raise ValueError("secret")

    assert live.produce("a", fails()).status == "error"

    async def use() -> None:
        source = Source(1, before=1)
        with pytest.raises(RuntimeError, match="aproduce"):
            live.produce("b", [1])
        producing = asyncio.create_task(live.aproduce("b", source.asynchronous()))
        joined = await live.ajoin("b", wait=BOUND)
        assert joined is not None
        assert joined.id is not None
        await live.acancel("b", run=joined.id)
        assert (await producing).status == "cancelled"
        assert source.closed == 1

    asyncio.run(use())


class TaskTimeout(BaseException):
    """What a job queue raises in a task that takes too long."""


@pytest.mark.parametrize("by", ["another process", "its queue"])
def test_cancelled_produce_returns_after_its_sync_source_is_closed(
    live: sa.Broker, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """A worker of a job queue may end its process next."""
    monkeypatch.setattr(_driving, "_CLOSE_TIMEOUT", BOUND)
    monkeypatch.setattr(_production, "END_GRACE", BOUND)
    goes_on, waits, order = threading.Event(), threading.Event(), list[str]()

    def source() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            goes_on.wait(BOUND)
            order.append("closed")

    def wait_here(production: _production.Production) -> None:
        def waited(seconds: float) -> bool:
            waits.set()
            return wait(seconds)

        wait = production.closed.wait
        monkeypatch.setattr(production.closed, "wait", waited)
        production_waits(production)

    production_waits = _production.Production.wait_here
    monkeypatch.setattr(_production.Production, "wait_here", wait_here)

    def produce() -> None:
        with suppress(TaskTimeout):
            live.produce("a", source())
        order.append("returned")

    producing = threading.Thread(target=produce)
    producing.start()
    run = live.join("a", wait=BOUND)
    assert run is not None
    assert run.id is not None
    assert waits.wait(BOUND)
    if by == "its queue":
        raised = ctypes.pythonapi.PyThreadState_SetAsyncExc
        assert raised(ctypes.c_ulong(producing.ident or 0), ctypes.py_object(TaskTimeout)) == 1
    else:
        assert live.cancel("a", run=run.id)
    *_, last = run
    assert last.data["run"] == "cancelled"  # its clients do not wait for that
    goes_on.set()
    producing.join()
    assert order == ["closed", "returned"]


@pytest.mark.parametrize("waits_for", ["a run", "a channel"])
def test_thread_that_waits_for_an_event_notices_what_its_queue_raises(live: sa.Broker, waits_for: str) -> None:
    """A task of Dramatiq that passes on a run, or a channel, past its time limit."""
    source, waits, order = Source(1, before=1), threading.Event(), list[str]()

    def task() -> None:
        heard = live.run("a", source.sync) if waits_for == "a run" else live.subscribe("a", since="earliest")
        with suppress(TaskTimeout):
            for _ in heard:
                waits.set()
        order.append("left")

    live.publish("a", 1)
    passing = threading.Thread(target=task)
    passing.start()
    assert waits.wait(BOUND)
    raised = ctypes.pythonapi.PyThreadState_SetAsyncExc
    assert raised(ctypes.c_ulong(passing.ident or 0), ctypes.py_object(TaskTimeout)) == 1
    passing.join(BOUND)
    assert order == ["left"]
    source.gate.open()


def test_cancelled_aproduce_returns_after_its_source_is_closed(live: sa.Broker) -> None:
    source = Source(1, before=1)

    async def use() -> None:
        producing = asyncio.create_task(live.aproduce("a", source.asynchronous()))
        await eventually(lambda: source.calls)
        producing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await producing
        joined = await live.ajoin("a")
        assert joined is not None
        assert (joined.status, source.closed) == ("cancelled", 1)

    asyncio.run(use())


def test_runs_are_closed_before_their_process_ends(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    program = f"""
import threading
import time
import stream_adapter as sa

started = threading.Event()

def source():
    try:
        while True:
            started.set()
            time.sleep(0.3)
            yield 1
    finally:
        open({str(notes)!r}, "w").write("closed")

live = sa.Broker("memory://")
live.run("a", source).start()
started.wait()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=BOUND)
    assert notes.read_text() == "closed"


def test_zombie_s_appends_are_refused_by_every_engine(live: sa.Broker) -> None:
    run = live.run("a", Source(1).sync).start()
    engine, registry = live._engine, live._runs()
    asyncio.run(eventually(lambda: run.status == "done"))
    state = engine.run_state(registry.name("a").key)
    assert state is not None
    with pytest.raises(FencedError):
        engine.append_many(registry.name("a").key, [Frame(b"late")], history=sa.History(), token=state.token)


def test_ended_run_leaves_no_task_and_no_thread_behind(live: sa.Broker) -> None:
    run = live.run("a", Source(1).asynchronous)

    async def use() -> None:
        await body_of(sa.sse(run))
        await eventually(lambda: live._run_count == 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(use())
