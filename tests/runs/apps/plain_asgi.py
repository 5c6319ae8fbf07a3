from __future__ import annotations

from urllib.parse import parse_qsl

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send
from tests.runs.apps import arespond


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":  # the lifespan, whose end drains
        await sa.Response().asgi(scope, receive, send)
        return
    query = dict(parse_qsl(scope["query_string"].decode()))
    await (await arespond(scope["path"], query)).asgi(scope, receive, send)
