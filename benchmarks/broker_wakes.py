"""Waking listeners of one process, without a server: µs of CPU and bytes a listener."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias

import stream_adapter as sa
from benchmarks.apps.broker import DATA, Ring
from benchmarks.table import Goal, Table
from stream_adapter.types import Message

__all__ = ["measure"]

Listen: TypeAlias = Callable[[Callable[[Message], Awaitable[None]]], Awaitable[None]]
Channel: TypeAlias = tuple[Callable[[], Awaitable[object]], Listen]


def _ring() -> Channel:
    ring = Ring()

    async def listen(send: Callable[[Message], Awaitable[None]]) -> None:
        async for frame in ring.listen():
            await send({"type": "http.response.body", "body": frame, "more_body": True})

    return ring.publish, listen


def _queues() -> Channel:
    queues: list[asyncio.Queue[bytes]] = []

    async def publish() -> None:
        for queue in queues:
            queue.put_nowait(b"data: 1\n\n")

    async def listen(send: Callable[[Message], Awaitable[None]]) -> None:
        queue = asyncio.Queue[bytes]()
        queues.append(queue)
        frame = b": open\n\n"
        while True:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            frame = await queue.get()

    return publish, listen


def _response() -> Channel:
    live = sa.Broker()
    scope: dict[str, object] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "client": None,
    }

    async def receive() -> Message:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def listen(send: Callable[[Message], Awaitable[None]]) -> None:
        await sa.sse(live.subscribe("prices")).asgi(dict(scope), receive, send)

    return lambda: live.apublish("prices", DATA), listen


_CHANNELS: dict[str, Callable[[], Channel]] = {
    "ring and cursors, by hand": _ring,
    "a queue each, by hand": _queues,
    "sse(subscribe), as a response": _response,
}
_FLOOR, _OWN = "ring and cursors, by hand", "sse(subscribe), as a response"


def measure(part: float, rounds: int) -> Iterator[Table]:
    """Wake a hundred listeners, and ten thousand, in turns."""
    yield _table(max(int(100 * part), 2), max(int(200 * part), 2), rounds)
    yield _table(max(int(10_000 * part), 3), max(int(5 * part), 2), rounds)


def _table(count: int, events: int, rounds: int) -> Table:
    table = Table(f"Waking {count} listeners in process: µs of CPU and KiB a listener", ["", "µs", "KiB"])
    best: dict[str, float] = {}
    held: dict[str, float] = {}
    for turn in range(rounds):
        for name, make in _CHANNELS.items():
            micros, _ = asyncio.run(_wake(make, count, events, traced=False))
            best[name] = min(micros, best.get(name, micros))
            if not turn:
                _, held[name] = asyncio.run(_wake(make, min(count, 500), 0, traced=True))
    table.rows += [[name, best[name], held[name]] for name in _CHANNELS]
    table.goals.append(Goal("subscribe / the ring", best[_OWN] / best[_FLOOR], 1.25))
    table.notes.append("The response's has a keepalive, deadlines, a watch of the client and its disconnect.")
    return table


async def _wake(make: Callable[[], Channel], count: int, events: int, *, traced: bool) -> tuple[float, float]:
    """Return the µs of one wake, in the best round of events, and the KiB of a listener."""
    publish, listen = make()
    sent = [0]

    async def send(message: Message) -> None:
        sent[0] += bool(message.get("body"))

    async def settle(wanted: int) -> None:
        while sent[0] < wanted:  # noqa: ASYNC110  # it counts steps of the loop
            await asyncio.sleep(0)

    gc.collect()
    if traced:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0] if traced else 0
    tasks = [asyncio.create_task(_run(listen, send)) for _ in range(count)]
    await settle(count)
    for _ in range(20):
        await asyncio.sleep(0)
    gc.collect()
    kibibytes = (tracemalloc.get_traced_memory()[0] - before) / 1024 / count if traced else 0
    tracemalloc.stop()
    best = float("inf")
    for _ in range(events):
        wanted, begun = sent[0] + count, time.process_time()
        await publish()
        await settle(wanted)
        best = min(best, time.process_time() - begun)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return best / count * 1e6, kibibytes


async def _run(listen: Listen, send: Callable[[Message], Awaitable[None]]) -> None:
    await listen(send)
