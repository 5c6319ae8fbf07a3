"""One Run object: however many clients it has at once, it begins one run, and stays with that."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import stream_adapter as sa

from .sources import Source

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
