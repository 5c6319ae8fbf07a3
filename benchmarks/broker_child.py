"""A process that subscribes and measures: `python -m benchmarks.broker_child WAY URL CHANNELS EVENTS`.

It prints "ready", then, after so many events, the microseconds from each one's publishing to its arrival, as JSON. The
clock that both processes read is the machine's.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import stream_adapter as sa

__all__: list[str] = []

Arrival = tuple[str, int]  # what came, and the nanosecond in which its listener had it
Listen = Callable[[str, list[str]], AsyncIterator[Arrival]]


async def _subscribed(url: str, channels: list[str]) -> AsyncIterator[Arrival]:
    """One subscription a channel, as one listener each has it."""
    arrived = asyncio.Queue[Arrival]()

    async def listen(live: sa.Broker, channel: str) -> None:
        async for event in live.subscribe(channel, replay=1):
            arrived.put_nowait((event.data, time.monotonic_ns()))

    async with sa.Broker(url) as live, asyncio.TaskGroup() as tasks:
        for channel in channels:
            tasks.create_task(listen(live, channel))
        while True:
            yield await arrived.get()


async def _by_hand(url: str, channels: list[str]) -> AsyncIterator[Arrival]:
    """One connection of redis-py to all channels: no history, no ids, no reconnects."""
    from redis.asyncio import Redis  # noqa: PLC0415  # the extra need not be installed

    pubsub: Any = Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
    for start in range(0, len(channels), 1000):
        await pubsub.subscribe(*channels[start : start + 1000])
    for _channel in channels:
        yield "0", 0
    async for message in pubsub.listen():
        yield message["data"].decode(), time.monotonic_ns()


async def _by_sqlite(url: str, channels: list[str]) -> AsyncIterator[Arrival]:
    """One socket at which the publisher rings, and a look at the file on the loop: no history, no ids, no order."""
    path = url.removeprefix("sqlite:///")
    loop = asyncio.get_running_loop()
    with sqlite3.connect(path, isolation_level=None) as file, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waker:
        waker.settimeout(0)
        waker.bind(f"{path}-waker")
        newest = file.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
        for _channel in channels:
            yield "0", 0
        while True:
            await loop.sock_recv(waker, 16)
            found = file.execute("SELECT id, data FROM events WHERE id > ? ORDER BY id", (newest,)).fetchall()
            for number, text in found:
                newest = number
                yield text, time.monotonic_ns()


async def _broadcaster(url: str, channels: list[str]) -> AsyncIterator[Arrival]:
    from broadcaster import Broadcast  # noqa: PLC0415  # it need not be installed

    arrived = asyncio.Queue[Arrival]()

    async def listen(live: Any, channel: str) -> None:
        async with live.subscribe(channel=channel) as events:
            arrived.put_nowait(("0", 0))
            async for event in events:
                arrived.put_nowait((event.message, time.monotonic_ns()))

    async with Broadcast(url) as live, asyncio.TaskGroup() as tasks:
        for channel in channels:
            tasks.create_task(listen(live, channel))
        while True:
            yield await arrived.get()


_WAYS: dict[str, Listen] = {
    "subscribe": _subscribed,
    "redis-py": _by_hand,
    "sqlite3": _by_sqlite,
    "broadcaster": _broadcaster,
}


async def _main(way: str, url: str, channels: int, events: int) -> None:
    delays: list[float] = []
    waiting = channels  # each sends "0" first, when it is subscribed
    arriving = _WAYS[way](url, [f"channel-{number}" for number in range(channels)])
    async for text, now in arriving:
        if text == "0":
            waiting -= 1
            if not waiting:
                sys.stdout.write("ready\n")
                sys.stdout.flush()
        else:
            delays.append((now - int(text)) / 1000)
            if len(delays) == events:
                break
    sys.stdout.write(f"{json.dumps(delays)}\n")
    sys.stdout.flush()
    await asyncio.sleep(60)  # it is killed


if __name__ == "__main__":
    _, way, url, channels, events = sys.argv
    asyncio.run(_main(way, url, int(channels), int(events)))
