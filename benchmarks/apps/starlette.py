"""Starlette's own StreamingResponse."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp

__all__ = ["asgi"]


async def _view(request: Request) -> Response:
    content = source_for(request.url.path)
    return PlainTextResponse(content) if isinstance(content, str) else StreamingResponse(content)


def asgi() -> ASGIApp:
    """Serve by Starlette."""
    return Starlette(routes=[Route("/{path:path}", _view)])
