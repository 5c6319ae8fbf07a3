"""A plain application that drains on SIGTERM from its import on, without a lifespan."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send

sa.drain_on_signal()


async def ticks() -> AsyncIterator[str]:
    while True:
        yield "tick\n"
        await asyncio.sleep(0.02)


def report(summary: sa.StreamSummary) -> None:
    sys.stdout.write(f"ended by {summary.reason}\n")
    sys.stdout.flush()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await sa.text(ticks(), on_close=report)(scope, receive, send)
