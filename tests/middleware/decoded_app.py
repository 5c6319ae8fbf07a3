"""An unchanged Starlette app that yields its next event once the one before was acknowledged, compressed as asked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.types import Receive, Scope, Send
from tests.support.gate import BOUND

EVENTS = 3
_acknowledged: defaultdict[str, asyncio.Queue[None]] = defaultdict(asyncio.Queue)


async def events(request: Request) -> Response:
    async def source() -> AsyncIterator[str]:
        for number in range(EVENTS):
            yield f"data: {number}\n\n"
            async with asyncio.timeout(BOUND):
                await _acknowledged[request.path_params["name"]].get()

    return StreamingResponse(source(), media_type="text/event-stream")


async def acknowledge(request: Request) -> Response:
    _acknowledged[request.path_params["name"]].put_nowait(None)
    return PlainTextResponse("")


async def page(_: Request) -> Response:
    return HTMLResponse("<title>decoded</title>")


_mended = StreamAdapterMiddleware(
    Starlette(
        routes=[Route("/{coding}/{name}", events), Route("/acknowledge/to/{name}", acknowledge), Route("/", page)]
    ),
    compress=True,
)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Set Accept-Encoding from the path, because some clients do not let it be set."""
    if scope["type"] == "http":
        coding = scope["path"].split("/")[1].encode()
        others = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        scope = {**scope, "headers": [*others, (b"accept-encoding", coding)]}
    await _mended(scope, receive, send)
