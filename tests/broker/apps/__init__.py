"""One application in every framework: /events streams a channel, /publish/<data> publishes into it, /threads counts."""

from __future__ import annotations

import threading

import stream_adapter as sa

live = sa.Broker(prefix="test")


def events(form: str = "sse") -> sa.Response:
    subscription = live.subscribe("ticks")
    return sa.sse(subscription, keepalive=0.2) if form == "sse" else sa.ndjson(subscription)


def control(action: str) -> str:
    """Publish, or say how many threads and listeners there are."""
    if action == "counts":
        return f"{threading.active_count()} {live.stats().listeners}"
    return live.publish("ticks", action)
