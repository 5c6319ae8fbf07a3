"""Applications in the middleware whose clients leave a part of their request's body unread, for tests by real servers.

/raw/SECONDS        an endless stream of a plain application, a chunk each SECONDS; its source reads nothing
/starlette/SECONDS  the same, a StreamingResponse
/size/SECONDS       how many bytes were sent to it, read after the response has begun and SECONDS have passed
/closed             how many of the endless streams have been closed
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.types import Receive, Scope, Send

__all__ = ["app"]

closed: list[str] = []


async def _ticks(seconds: str) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"tick\n"
            await asyncio.sleep(float(seconds))
    finally:
        closed.append("ticks")


async def _raw(scope: Scope, _: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    ticks = _ticks(scope["path"].rpartition("/")[2])
    try:
        async for tick in ticks:
            await send({"type": "http.response.body", "body": tick, "more_body": True})
    finally:
        await ticks.aclose()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # it is a generator


async def _starlette(request: Request) -> Response:
    return StreamingResponse(_ticks(request.path_params["seconds"]))


async def _size(request: Request) -> Response:
    async def chunks() -> AsyncIterator[str]:
        yield "begun\n"
        await asyncio.sleep(float(request.path_params["seconds"]))
        size = 0
        async for part in request.stream():
            size += len(part)
        yield f"size {size}\n"

    return StreamingResponse(chunks())


async def _closed(_: Request) -> Response:
    return PlainTextResponse(f"closed={len(closed)};")


app = StreamAdapterMiddleware(
    Starlette(
        routes=[
            Mount("/raw", _raw),
            Route("/starlette/{seconds}", _starlette, methods=["POST"]),
            Route("/size/{seconds}", _size, methods=["POST"]),
            Route("/closed", _closed),
        ]
    )
)
