"""One Run object: however many clients it has at once, it begins one run, and stays with that."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.engines import RunState
from stream_adapter.engines.sqlite import SQLiteEngine
from tests.broker.reading import BOUND

from .sources import Source, eventually

_OPTIONS: list[dict[str, Any]] = [{"if_running": "reject"}, {"if_running": "cancel"}, {"if_done": "restart"}]
_END = {"status": "done"}


@pytest.mark.parametrize("options", _OPTIONS, ids=str)
def test_starts_of_one_object_at_once_begin_one_run(live: sa.Broker, options: dict[str, Any]) -> None:
    source = Source(1, 2, before=1)

    async def use() -> None:
        run = live.run("a", source.asynchronous, **options)
        started = await asyncio.gather(*(run.astart() for _ in range(4)))
        assert started == [run] * 4
        source.gate.open()
        assert [event.data async for event in run] == [1, 2, _END]

    asyncio.run(use())
    assert len(source.calls) == 1


@pytest.mark.parametrize("options", _OPTIONS, ids=str)
def test_readers_of_one_object_in_threads_have_one_run(live: sa.Broker, options: dict[str, Any]) -> None:
    source = Source(1, 2)
    run = live.run("a", source.sync, **options)
    received: list[list[Any]] = []

    def read() -> None:
        received.append([event.data for event in run])

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert received == [[1, 2, _END]] * 4
    assert len(source.calls) == 1


def test_sync_iteration_on_an_event_loop_is_an_error_that_begins_nothing(live: sa.Broker) -> None:
    source = Source(1)

    async def use() -> None:
        run = live.run("a", source.asynchronous)
        with pytest.raises(RuntimeError, match="use `async for`"):
            list(run)
        assert (run.id, await live.ajoin("a")) == (None, None)

    asyncio.run(use())
    assert source.calls == []


def test_join_that_would_wait_on_an_event_loop_is_an_error(live: sa.Broker) -> None:
    async def use() -> None:
        assert live.join("a") is None
        with pytest.raises(RuntimeError, match="await ajoin"):
            live.join("a", wait=1.0)

    asyncio.run(use())


class _SlowClaim(SQLiteEngine):
    """An engine whose claims wait."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked, self.goes_on = threading.Event(), threading.Event()

    def claim(self, channel: str, *, lease: float, retain: float, restart: bool = False) -> RunState:
        self.asked.set()
        self.goes_on.wait(BOUND)
        return super().claim(channel, lease=lease, retain=retain, restart=restart)


def test_reader_that_leaves_while_its_run_begins_cancels_it_if_that_was_asked(tmp_path: Path) -> None:
    engine = _SlowClaim(tmp_path / "broker.db")
    source = Source(1, before=1)

    async def use() -> None:
        async with sa.Broker(engine) as live:
            run = live.run("a", source.asynchronous, on_disconnect="cancel", lease=60.0)
            reader = asyncio.ensure_future(anext(aiter(run)))
            await eventually(engine.asked.is_set)
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            engine.goes_on.set()
            await eventually(lambda: run.status == "cancelled")

    asyncio.run(use())


def test_task_that_is_cancelled_while_it_claims_its_run_leaves_it_cancelled(tmp_path: Path) -> None:
    engine = _SlowClaim(tmp_path / "broker.db")
    source = Source(1)

    async def use() -> None:
        async with sa.Broker(engine) as live:
            producing = asyncio.create_task(live.aproduce("a", source.asynchronous(), lease=60.0))
            await eventually(engine.asked.is_set)
            producing.cancel()
            with suppress(asyncio.CancelledError):
                await producing
            engine.goes_on.set()
            run = await live.ajoin("a", wait=BOUND)
            assert run is not None
            assert [event.data["run"] async for event in run] == ["cancelled"]
            again = await live.aproduce("a", source.asynchronous())
            assert again.status == "done"

    asyncio.run(use())


_FORKED = """
import os, sys
import stream_adapter as sa

def endless():
    try:
        while True:
            yield 1
    finally:
        print("closed", flush=True)

live = sa.Broker(sys.argv[1], prefix="fork")
run = live.run("a", endless, lease=60)
live.join("another")  # the parent uses its runs, too
pid = os.fork()
if pid == 0:
    next(iter(run))
    sys.exit()
os.waitpid(pid, 0)
"""


def test_run_object_of_before_a_fork_begins_a_run_that_ends_with_the_child(shared_url: str) -> None:
    command = [sys.executable, "-c", _FORKED, shared_url]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=BOUND)
    assert process.stdout == "closed\n", process.stderr
    with sa.Broker(shared_url, prefix="fork") as live:
        run = live.join("a")
        assert run is not None
        assert run.status == "cancelled"
