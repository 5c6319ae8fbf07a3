"""A Celery application; its messages are files in a folder."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery  # pyright: ignore[reportMissingTypeStubs]

import stream_adapter as sa

_folder = os.environ["CELERY_FOLDER"]
live = sa.Broker(os.environ["LIVE_URL"], prefix="test", publish_timeout=20.0)
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
def publish(number: int) -> None:
    live.publish("ticks", f"task {number}")
