"""Tasks of RQ: plain functions."""

from __future__ import annotations

import os
from typing import Any

from redis import Redis
from rq import Queue

from tests.runs.apps.queues import LIMIT, async_answer, write


def produce(key: str, prompt: str) -> str:
    return write(key, prompt)


def produce_async(key: str, prompt: str) -> str:
    return write(key, prompt, async_answer)


def send(name: str, key: str, prompt: str) -> None:
    """Put a task into the queue."""
    tasks = {"produce": produce, "produce_async": produce_async, "produce_in_time": produce}
    timeout = LIMIT if name == "produce_in_time" else 600
    client: Any = Redis
    with client.from_url(os.environ["QUEUE"]) as connection:
        queue: Any = Queue(connection=connection)
        queue.enqueue(tasks[name], key, prompt, job_timeout=timeout)
