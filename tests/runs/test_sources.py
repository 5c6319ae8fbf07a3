"""What a source may do to its run, and to the process that produces it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter._pump import blocking, thread_pool
from stream_adapter.engines import MemoryEngine, Position
from stream_adapter.errors import CapacityError
from tests.broker.reading import BOUND

from .sources import Source, body_of, fields_of


def _exits() -> Generator[str]:
    yield "one"
    sys.exit(3)


async def _exits_on_the_loop() -> AsyncGenerator[str]:
    yield "one"
    sys.exit(3)


def _is_interrupted() -> Generator[str]:
    yield "one"
    raise KeyboardInterrupt


@pytest.mark.parametrize("factory", [_exits, _exits_on_the_loop, _is_interrupted])
def test_source_that_exits_ends_its_run_with_an_error_and_not_the_server_s_loop(
    live: sa.Broker, factory: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> bytes:
        return await body_of(sa.sse(live.run("a", factory)))

    with caplog.at_level(logging.ERROR):
        received = fields_of(asyncio.run(use()))
    assert [event["data"] for event in received[:-1]] == ["one"]
    assert received[-1]["data"]["run"] == "error"
    [record] = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], Exception)
    assert isinstance(record.exc_info[1].__cause__, (SystemExit, KeyboardInterrupt))


def test_source_that_blocks_its_loop_is_named_and_its_items_are_sent_as_they_come(
    live: sa.Broker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking._watcher, "_named", set[str]())  # each source is named once
    received = asyncio.Event()
    until = time.monotonic() + BOUND

    async def blocks() -> AsyncGenerator[int]:
        """Read a sync client, say, and never wait on the loop."""
        n = 0
        while not received.is_set() and time.monotonic() < until:
            time.sleep(0.02)  # noqa: ASYNC251  # what it is about
            yield (n := n + 1)

    async def use() -> list[Any]:
        data: list[Any] = []
        async for event in live.run("a", blocks):
            data.append(event.data)
            received.set()
        return data

    with caplog.at_level(logging.WARNING):
        *numbers, end = asyncio.run(use())
    assert end == {"status": "done"}
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) < 200  # a full outbox has more
    [warning] = [record.getMessage() for record in caplog.records]
    assert "its source blocks the event loop, at test_sources.py:" in warning
    assert "plain generator" in warning


def test_run_without_a_free_thread_is_refused_before_it_begins_and_one_that_is_there_is_joined(
    live: sa.Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(1, before=1)

    async def use() -> None:
        there = await live.run("there", source.sync).astart()
        assert (await anext(aiter(there))).data == 1
        monkeypatch.setattr(thread_pool._pool, "max_threads", 0)
        with pytest.raises(CapacityError):
            await live.run("new", source.sync).astart()
        with pytest.raises(CapacityError):
            await live.run("there", source.sync, if_running="cancel").astart()
        with pytest.raises(CapacityError):
            await live.aproduce("new", [1])
        assert await live.ajoin("new") is None
        joined = await live.run("there", source.sync).astart()
        assert (joined.id, joined.status) == (there.id, "running")
        source.gate.open()
        assert [event.data async for event in joined] == [1, {"status": "done"}]
        assert (await live.run("there", source.sync).astart()).id == there.id
        with pytest.raises(CapacityError):
            await live.run("there", source.sync, if_done="restart").astart()

    asyncio.run(use())


class _Busy(MemoryEngine):
    """An engine whose appends wait."""

    blocks = True

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def append_many(self, *arguments: Any, **options: Any) -> list[Position]:
        self.goes_on.wait(5.0)
        return super().append_many(*arguments, **options)


def test_timeout_of_a_source_that_waits_for_the_engine_at_a_yield_is_its_own() -> None:
    engine = _Busy()

    async def source() -> AsyncGenerator[Any]:
        try:
            async with asyncio.timeout(0.05):
                while True:
                    yield 1  # until the engine has too much to store
        except TimeoutError:
            engine.goes_on.set()
            yield "took too long"

    async def use() -> list[Any]:
        async with sa.Broker(engine) as live:
            return [event.data async for event in live.run("a", source)]

    *ones, last, end = asyncio.run(use())
    assert set(ones) == {1}
    assert (last, end) == ("took too long", {"status": "done"})


class _Unopened:
    """An iterable whose iteration cannot begin."""

    def __iter__(self) -> Iterator[int]:
        raise StopIteration


@pytest.mark.parametrize("factory", [lambda: next(iter(())), _Unopened], ids=["next", "iterable"])
def test_factory_that_raises_stop_iteration_ends_its_run_with_an_error(
    live: sa.Broker, factory: Callable[[], Any]
) -> None:
    """A future cannot carry that exception, and its run would never end."""

    async def use() -> None:
        async with asyncio.timeout(BOUND):
            assert [event.data["run"] async for event in live.run("a", factory)] == ["error"]

    asyncio.run(use())


@pytest.mark.parametrize("is_imported", [True, False], ids=["with asgiref", "without"])
def test_snapshot_that_raises_stop_iteration_fails_its_subscription(
    live: sa.Broker, monkeypatch: pytest.MonkeyPatch, is_imported: bool
) -> None:
    pytest.importorskip("asgiref.sync")
    if not is_imported:
        monkeypatch.delitem(sys.modules, "asgiref.sync")

    async def use() -> None:
        async with asyncio.timeout(BOUND):
            with pytest.raises(RuntimeError, match="StopIteration"):
                async for _ in live.subscribe("a", snapshot=lambda: next(iter(()))):
                    pass

    asyncio.run(use())
