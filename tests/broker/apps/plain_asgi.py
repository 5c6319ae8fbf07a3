from __future__ import annotations

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send
from tests.broker.apps import control, events


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    _, kind, detail = scope["path"].split("/")
    response = events(detail) if kind == "events" else sa.Response(control(detail))
    await response.asgi(scope, receive, send)
