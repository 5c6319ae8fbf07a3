"""Applications that stream an answer of tokens: `/answer/KEY/COUNT/PAUSE`, each token in an event, PAUSE in seconds."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

import stream_adapter as sa
from stream_adapter.types import ASGIApp, Receive, Scope, Send

__all__ = ["by_hand", "direct", "runs"]

Answer = Callable[[str, int, float], Any]


async def tokens(count: int, pause: float) -> AsyncIterator[dict[str, Any]]:
    """Yield tokens at a steady rate, each with the time at which it was there."""
    due = time.monotonic()
    for number in range(count):
        due += pause
        await asyncio.sleep(max(due - time.monotonic(), 0))
        yield {"n": number, "token": "word ", "at": time.monotonic_ns()}


def _app(content: Answer) -> ASGIApp:
    """Serve what is made of a key, a count and a pause."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        _, _, key, count, pause = scope["path"].split("/")
        await sa.sse(content(key, int(count), float(pause))).asgi(scope, receive, send)

    return app


def direct() -> ASGIApp:
    """Stream the generator itself: it dies with its client."""
    return _app(lambda _, count, pause: tokens(count, pause))


def runs() -> ASGIApp:
    """Stream a run, in the store that BROKER names."""
    live = sa.Broker(os.environ["BROKER"])
    return _app(lambda key, count, pause: live.run(key, tokens, count, pause))


def by_hand() -> ASGIApp:
    """Stream what a task writes into a stream of Redis and a subscriber reads, as projects write it by hand.

    It has one blocking connection per client, and neither a lease, nor fencing, nor a stop.
    """
    import redis.asyncio  # noqa: PLC0415  # it need not be installed

    client: Any = redis.asyncio.from_url(os.environ["BROKER"])
    tasks: set[asyncio.Task[None]] = set()

    async def produce(key: str, count: int, pause: float) -> None:
        async for token in tokens(count, pause):
            await client.xadd(key, {"data": orjson.dumps(token)})
        await client.xadd(key, {"end": b"1"})
        await client.expire(key, 300)

    async def follow(key: str, count: int, pause: float) -> AsyncIterator[sa.ServerSentEvent]:
        if await client.set(f"{key}.started", 1, nx=True, ex=300):
            task = asyncio.create_task(produce(key, count, pause))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        last: Any = "0"
        while True:
            for _, entries in await client.xread({key: last}, block=1000):
                for last, fields in entries:  # the cursor
                    if b"end" in fields:
                        return
                    yield sa.ServerSentEvent(fields[b"data"].decode(), id=last.decode())

    return _app(follow)
