"""Tasks of arq, which runs them on an event loop."""

from __future__ import annotations

import asyncio
import os
from importlib import import_module
from typing import Any

from tests.runs.apps.queues import LEASE, LIMIT, answer, async_answer, live, note

_arq: Any = import_module("arq.connections")  # it is not installed where types are checked
_worker: Any = import_module("arq.worker")
_settings: Any = _arq.RedisSettings.from_dsn(os.environ["QUEUE"])


async def produce(_: Any, key: str, prompt: str, source: Any = answer) -> None:
    try:
        status = (await live.aproduce(key, source(key, prompt), lease=LEASE)).status
    except asyncio.CancelledError:
        note(f"{key} raised CancelledError")
        raise
    note(f"{key} {status}")


async def produce_async(_: Any, key: str, prompt: str) -> None:
    await produce(_, key, prompt, async_answer)


async def produce_in_time(_: Any, key: str, prompt: str) -> None:
    await produce(_, key, prompt)


class Settings:
    """What `arq` runs."""

    functions = (produce, produce_async, _worker.func(produce_in_time, timeout=LIMIT))
    redis_settings = _settings
    poll_delay = 0.05
    max_tries = 1


def send(name: str, key: str, prompt: str) -> None:
    """Put a task into the queue."""

    async def enqueue() -> None:
        pool = await _arq.create_pool(_settings)
        await pool.enqueue_job(name, key, prompt)
        await pool.aclose()

    asyncio.run(enqueue())
