"""The scopes of an ASGI server that are not requests: a lifespan is completed, a websocket is refused."""

from __future__ import annotations

import asyncio

from stream_adapter._lifecycle import drain
from stream_adapter.types import Receive, Scope, Send

__all__ = ["answer_other"]

_SHUTDOWN_GRACE = 5.0  # seconds that streams have after the server has announced its shutdown


async def answer_other(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a scope that is not a request: a lifespan is completed, a websocket is refused."""
    if scope["type"] == "lifespan":
        await _complete_lifespan(receive, send)
    elif scope["type"] == "websocket":
        await _refuse_websocket(receive, send)
    else:
        raise ValueError(f"scope: expected type http, lifespan or websocket, got {scope['type']!r}")


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    """Refuse the handshake."""
    await receive()
    await send({"type": "websocket.close", "code": 1000})


async def _complete_lifespan(receive: Receive, send: Send) -> None:
    """Report the startup as complete, and the shutdown after the streams that the server left open are closed."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(drain, _SHUTDOWN_GRACE)
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
