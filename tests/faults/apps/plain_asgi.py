"""Plain ASGI."""

from __future__ import annotations

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send

from . import sources
from .reporter import reporter


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    reporter.on_loop()
    if scope["type"] == "lifespan":
        sa.drain_on_signal()  # by now each server has set its own handlers; granian has not when it imports this
        await sa.Response(None).asgi(scope, receive, send)
        return
    match scope["path"].strip("/").split("/"):
        case ["stream", name, way, options]:
            await sources.make(name, way, options).asgi(scope, receive, send)
        case _:
            await sa.Response(b"hello").asgi(scope, receive, send)
