"""Tasks of Celery; its messages are files in a folder."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery  # pyright: ignore[reportMissingTypeStubs]

from tests.runs.apps.queues import LIMIT, async_answer, write

_folder = os.environ["QUEUE"]
app: Any = Celery("tasks", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": _folder,
        "data_folder_out": _folder,
        "control_folder": f"{_folder}/control",
    },
    task_ignore_result=True,
    worker_hijack_root_logger=False,
)


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
