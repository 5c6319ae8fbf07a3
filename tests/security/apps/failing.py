"""A stream that waits until it is released, and one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send

__all__ = ["app"]

_released = asyncio.Event()


async def _waiting() -> AsyncIterator[str]:
    yield "one\n"
    await _released.wait()
    yield "two\n"


async def _failing() -> AsyncIterator[str]:
    yield "one\n"
    raise RuntimeError("the disk is full")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve `/waiting`, `/failing`, and `/release`, which ends the first one."""
    if scope["path"] == "/release":
        _released.set()
    source = {"/waiting": _waiting, "/failing": _failing}.get(scope["path"])
    await sa.text("released" if source is None else source()).asgi(scope, receive, send)
