"""An ASGI application under WSGI that reads its request's body and says how long it was."""

from __future__ import annotations

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send

PATIENCE = 1.0


async def measured(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise ValueError(f"no such scope: {scope['type']}")
    size, more = 0, scope["method"] == "POST"
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        size += len(message["body"])
        more = message["more_body"]
    await sa.Response(str(size))(scope, receive, send)


app = sa.to_wsgi(measured, receive_timeout=PATIENCE)
