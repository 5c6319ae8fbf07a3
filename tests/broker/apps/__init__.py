"""One application in every framework: /events/<form> streams channels, /control/<action> publishes, or counts.

Its environment says how it is set up, so that several processes of it can share a store:

    BROKER_URL        of the store; else memory
    BROKER_LINGER     seconds that a channel without listeners is watched
    BROKER_REVOKED    a file; while it exists, listening is forbidden
    BROKER_KEEPALIVE  seconds of silence after which an event stream has a comment; it begins a response, too
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import stream_adapter as sa
from stream_adapter._broker import _hub

_hub.LINGER = float(os.environ.get("BROKER_LINGER", _hub.LINGER))
_revoked = os.environ.get("BROKER_REVOKED")
_keepalive = float(os.environ.get("BROKER_KEEPALIVE", "0.2"))

live = sa.Broker(os.environ.get("BROKER_URL", "memory://"), prefix="test")


def events(form: str = "sse") -> sa.Response:
    """Stream `ticks`, or the channels of `sse:one+two`.

    `wrapped-sse`: by a generator that iterates them. `gone`: as events, with 410 for a cursor that is not there.
    """
    if _revoked and Path(_revoked).exists():
        return sa.Response("revoked", status_code=403)
    form, _, channels = form.partition(":")
    on_gap: Literal["gone"] | None = "gone" if form == "gone" else None
    subscription = live.subscribe(channels.split("+") if channels else "ticks", on_gap=on_gap)
    source = wrapped(subscription) if form.startswith("wrapped-") else subscription
    return sa.sse(source, keepalive=_keepalive) if form.endswith(("sse", "gone")) else sa.ndjson(source)


def wrapped(subscription: Iterable[sa.Event]) -> Iterator[object]:
    yield {"wrapped": True}
    for event in subscription:
        yield event.data


def control(action: str) -> str:
    """Publish, with `key=data` under a key, to a channel by `channel:data`; or say what the process has."""
    if action == "counts":
        return f"{threading.active_count()} {live.stats().listeners}"
    if action == "channels":
        return str(live.stats().channels)
    if action == "pid":
        return str(os.getpid())
    if action == "tasks":
        return str(sum(isinstance(each, asyncio.Task) and not each.done() for each in gc.get_objects()))
    channel, _, data = action.rpartition(":")
    key, _, data = data.rpartition("=")
    return live.publish(channel or "ticks", data, key=key or None)
