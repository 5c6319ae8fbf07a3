"""The same rows as server-sent events; an idle stream is one of these."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse as FastAPIEvents
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import stream_adapter as sa
from benchmarks.sources import BLOCK, source_for
from stream_adapter.types import ASGIApp, Receive, Scope, Send
from stream_adapter_fastapi import Stream

__all__ = [
    "adapted",
    "adapted_fastapi",
    "adapted_shared",
    "fastapi",
    "fastapi_frames",
    "floor_items",
    "raw",
    "sse_starlette",
    "sse_starlette_items",
    "starlette",
]


def raw() -> ASGIApp:
    """Frame and send each event."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for frame in _frames(scope["path"]):
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def starlette() -> ASGIApp:
    """Send frames by a StreamingResponse."""

    async def view(request: Request) -> Response:
        return StreamingResponse(_frames(request.url.path), media_type="text/event-stream")

    return Starlette(routes=[Route("/{path:path}", view)])


def sse_starlette() -> ASGIApp:
    """Send events by sse-starlette."""
    from sse_starlette.sse import EventSourceResponse  # noqa: PLC0415  # it patches uvicorn when it is imported

    async def view(request: Request) -> Response:
        return EventSourceResponse(source_for(request.url.path))

    return Starlette(routes=[Route("/{path:path}", view)])


def floor_items() -> ASGIApp:
    """Dump, frame, join to 64 KiB, send: the least that events of JSON can cost."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        frames: list[bytes] = []
        room = BLOCK
        async for item in source_for(scope["path"]):
            frames.append(frame := b"data: " + orjson.dumps(item) + b"\n\n")
            room -= len(frame)
            if room <= 0:
                await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})
                frames, room = [], BLOCK
        await send({"type": "http.response.body", "body": b"".join(frames)})

    return app


def sse_starlette_items() -> ASGIApp:
    """Send events of JSON by sse-starlette."""
    from sse_starlette import EventSourceResponse, JSONServerSentEvent  # noqa: PLC0415  # it patches uvicorn

    async def events(path: str) -> AsyncIterator[JSONServerSentEvent]:
        async for item in source_for(path):
            yield JSONServerSentEvent(item)

    async def view(request: Request) -> Response:
        return EventSourceResponse(events(request.url.path))

    return Starlette(routes=[Route("/{path:path}", view)])


def adapted_shared() -> ASGIApp:
    """Send one event, made once, as often as there are items."""
    event = sa.ServerSentEvent({"id": 1, "name": "a name", "ok": True}, event="tick", id="1")

    async def events(path: str) -> AsyncIterator[sa.ServerSentEvent]:
        async for _ in source_for(path):
            yield event

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sa.sse(events(scope["path"])).asgi(scope, receive, send)

    return app


def fastapi() -> ASGIApp:
    """Send events as FastAPI itself does: a view that yields them."""
    app = FastAPI()

    @app.get("/{path:path}", response_class=FastAPIEvents)
    async def view(path: str) -> AsyncIterator[Any]:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        async for row in source_for(path):
            yield row

    return app


def fastapi_frames() -> ASGIApp:
    """Send frames by a StreamingResponse that a view of FastAPI returns."""
    app = FastAPI()

    @app.get("/{path:path}")
    async def view(path: str) -> Response:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        return StreamingResponse(_frames(path), media_type="text/event-stream")

    return app


def adapted() -> ASGIApp:
    """Send events by `sse`, without a framework."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sa.sse(source_for(scope["path"])).asgi(scope, receive, send)

    return app


def adapted_fastapi() -> ASGIApp:
    """Send events by `sse`, through our FastAPI integration."""
    app = FastAPI()

    @app.get("/{path:path}")
    async def view(path: str, stream: Stream) -> Response:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        return stream(sa.sse(source_for(path)))

    return app


async def _frames(path: str) -> AsyncIterator[bytes]:
    async for row in source_for(path):
        yield b"data: %b\n\n" % row.rstrip("\n").encode()
