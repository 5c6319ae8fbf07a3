"""What a silent stream holds, by counts, which a machine does not change; bytes: `python -m benchmarks memory`."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType

import pytest

import stream_adapter as sa
from stream_adapter.integration import SendWatch
from stream_adapter.types import Message, Receive, Scope

COUNT = 50
SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "client": None}
_SUSPENDED = (CoroutineType, GeneratorType, AsyncGeneratorType)
_OF_THE_TEST = {"never", "silent", "_Clients._serve"}


async def never() -> Message:
    message: Message = await asyncio.get_running_loop().create_future()
    return message


async def silent() -> AsyncIterator[str]:
    yield "one"
    await asyncio.get_running_loop().create_future()


class _Clients:
    """Requests that are answered by streams, which send their beginning and are silent then."""

    def __init__(self, make: Callable[[], sa.Response], receive: Receive) -> None:
        self._make = make
        self._receive = receive
        self._tasks: list[asyncio.Task[None]] = []
        self._begun = 0

    async def _send(self, message: Message) -> None:
        self._begun += bool(message.get("body"))

    async def _serve(self) -> None:
        await self._make().asgi(dict(SCOPE), self._receive, self._send)

    async def come(self, count: int) -> None:
        self._tasks += [asyncio.create_task(self._serve()) for _ in range(count)]
        async with asyncio.timeout(30):
            while self._begun < len(self._tasks):  # noqa: ASYNC110  # it counts steps of the loop
                await asyncio.sleep(0)
        for _ in range(10):  # until all of their tasks wait
            await asyncio.sleep(0)
        gc.collect()

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for _ in range(10):
            await asyncio.sleep(0)


def held(make: Callable[[], sa.Response], receive: Receive = never) -> Counter[str]:
    """Return how many objects of each kind a stream more takes, apart from the test's own."""

    async def main() -> Counter[str]:
        clients = _Clients(make, receive)
        await clients.come(COUNT)
        before = {id(found) for found in gc.get_objects()}
        await clients.come(COUNT)
        new = [found for found in gc.get_objects() if id(found) not in before and found is not before]
        kinds = Counter(map(_kind, new))
        # of a coroutine that something has looked at: as large as the coroutine, and kept with it
        kinds["frame"] = sum(isinstance(held, FrameType) for found in new for held in gc.get_referents(found))
        del new
        await clients.leave()
        return Counter({kind: round(found / COUNT) for kind, found in kinds.items() if found >= COUNT / 2})

    counts = asyncio.run(main())
    return Counter({kind: count for kind, count in counts.items() if kind.partition(" ")[2] not in _OF_THE_TEST})


def _kind(found: object) -> str:
    name = type(found).__name__
    return f"{name} {found.__qualname__}" if isinstance(found, _SUSPENDED) else name


def _suspended(counts: Counter[str]) -> list[str]:
    return [kind for kind in counts if kind.partition(" ")[2]]


def test_silent_stream_holds_three_tasks_and_few_coroutines() -> None:
    counts = held(lambda: sa.sse(silent()))
    assert counts["Task"] == 3  # the request's, the source's, and that of `receive`
    assert len(_suspended(counts)) <= 7, _suspended(counts)
    assert counts["TimerHandle"] == 1  # of the keepalive
    assert counts["frame"] == 0
    assert counts["dict"] <= 2
    assert counts.total() <= 60, counts


def test_silent_listener_holds_two_tasks_and_few_coroutines() -> None:
    with sa.Broker() as live:
        counts = held(lambda: sa.sse(live.subscribe("prices")))
    assert counts["Task"] == 2  # the request's, and that of `receive`
    assert len(_suspended(counts)) <= 4, _suspended(counts)
    assert counts["TimerHandle"] == 1
    assert counts["frame"] == 0
    assert counts.total() <= 56, counts


@pytest.mark.parametrize("source", ["generator", "broker"])
def test_streams_that_are_left_leave_nothing(source: str) -> None:
    async def main() -> None:
        with sa.Broker() as live:
            make = (lambda: sa.sse(live.subscribe("prices"))) if source == "broker" else (lambda: sa.sse(silent()))
            clients = _Clients(make, never)
            await clients.come(1)  # what the first one makes for all
            before = len(gc.get_objects())
            await clients.come(COUNT)
            await clients.leave()
            await clients.come(1)
            gc.collect()
            assert len(gc.get_objects()) - before < COUNT  # less than one for each
            assert sa.active_stream_count() == 1
            await clients.leave()

    asyncio.run(main())


def test_watch_of_a_client_ends_when_nothing_is_sent() -> None:
    async def main() -> None:
        is_idle = asyncio.Event()
        watch = SendWatch(None, 0.02, lambda: None, on_idle=is_idle.set)
        watch.begin_send(1)
        watch.end_send()
        async with asyncio.timeout(30):
            await is_idle.wait()
        assert watch.timer.when() == 0.0  # there are not any

    asyncio.run(main())
