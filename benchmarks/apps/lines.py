"""Lines of JSON that each framework sends by its own streaming response, encoded by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import orjson

from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp, WSGIApp

__all__ = ["MEDIA_TYPE", "fastapi", "flask", "lines", "lines_async", "starlette"]

MEDIA_TYPE = "application/x-ndjson"


def lines(path: str) -> Iterator[bytes]:
    """Yield a line for each item."""
    for item in source_for(path):
        yield orjson.dumps(item) + b"\n"


async def lines_async(path: str) -> AsyncIterator[bytes]:
    """Yield a line for each item."""
    async for item in source_for(path):
        yield orjson.dumps(item) + b"\n"


def starlette() -> ASGIApp:
    """Serve by Starlette."""
    from starlette.applications import Starlette  # noqa: PLC0415  # each is imported by its own contender
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response, StreamingResponse  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def view(request: Request) -> Response:
        return StreamingResponse(lines_async(request.url.path), media_type=MEDIA_TYPE)

    return Starlette(routes=[Route("/{path:path}", view)])


def fastapi() -> ASGIApp:
    """Serve by FastAPI, whose view returns a StreamingResponse."""
    from fastapi import FastAPI  # noqa: PLC0415
    from fastapi.responses import StreamingResponse  # noqa: PLC0415

    async def view(path: str) -> object:
        return StreamingResponse(lines_async(path), media_type=MEDIA_TYPE)

    app = FastAPI()
    app.get("/{path:path}", response_model=None)(view)
    return app


def flask() -> WSGIApp:
    """Serve by Flask."""
    from flask import Flask, Response  # noqa: PLC0415

    def view(path: str) -> Response:
        return Response(lines(path), mimetype=MEDIA_TYPE)

    app = Flask(__name__)
    app.get("/<path:path>")(view)
    return app
