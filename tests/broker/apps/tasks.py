"""A Celery application; its messages are files in a folder."""

from __future__ import annotations

import os

import stream_adapter as sa
from tests.support.queues import celery_in

live = sa.Broker(os.environ["LIVE_URL"], prefix="test", publish_timeout=20.0)
app = celery_in(os.environ["CELERY_FOLDER"])


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def publish(number: int) -> None:
    live.publish("ticks", f"task {number}")
