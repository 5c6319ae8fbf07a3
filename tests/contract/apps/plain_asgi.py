"""Plain ASGI."""

from __future__ import annotations

import asyncio

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send
from tests.contract import cases


async def view(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["path"].strip("/").split("/"):
        case ["async", case, way, key]:
            await cases.make(case, way, key).asgi(scope, receive, send)
        case ["control", action, key]:
            await sa.Response(await asyncio.to_thread(cases.control, action, key)).asgi(scope, receive, send)
        case _:
            await sa.Response(None, status_code=404).asgi(scope, receive, send)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Be a middleware: set a variable, and call what it wraps."""
    if scope["type"] == "lifespan":
        await sa.Response(None).asgi(scope, receive, send)
        return
    cases.set_by_middleware.set("middleware")
    await view(scope, receive, send)
