"""Tasks of Celery; its messages are files in a folder."""

from __future__ import annotations

import os

from tests.runs.apps.queues import LIMIT, async_answer, write
from tests.support.queues import celery_in

app = celery_in(os.environ["QUEUE"])


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def produce(key: str, prompt: str) -> None:
    write(key, prompt)


@app.task  # type: ignore[untyped-decorator]
def produce_async(key: str, prompt: str) -> None:
    write(key, prompt, async_answer)


@app.task(soft_time_limit=LIMIT)  # type: ignore[untyped-decorator]
def produce_in_time(key: str, prompt: str) -> None:
    write(key, prompt)


def send(name: str, key: str, prompt: str) -> None:
    """Put a task into the queue."""
    {"produce": produce, "produce_async": produce_async, "produce_in_time": produce_in_time}[name].delay(key, prompt)
