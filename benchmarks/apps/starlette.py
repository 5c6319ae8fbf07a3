"""Starlette's own StreamingResponse, under ASGI and, through adapters, under WSGI."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import stream_adapter as sa
from benchmarks.sources import source_for
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.types import ASGIApp, WSGIApp

__all__ = ["asgi", "by_a2wsgi", "by_to_wsgi"]


async def _view(request: Request) -> Response:
    content = source_for(request.url.path)
    return PlainTextResponse(content) if isinstance(content, str) else StreamingResponse(content)


def asgi() -> ASGIApp:
    """Serve by Starlette."""
    return Starlette(routes=[Route("/{path:path}", _view)])


def by_a2wsgi() -> WSGIApp:
    """Serve Starlette's own streams under WSGI, through a2wsgi."""
    from a2wsgi import ASGIMiddleware  # noqa: PLC0415  # only its own contender imports it

    middleware: Any = ASGIMiddleware  # whose protocol types are its own
    app: WSGIApp = middleware(asgi())
    return app


def by_to_wsgi() -> WSGIApp:
    """Serve Starlette's own streams under WSGI, through stream_adapter."""
    return sa.to_wsgi(asgi())


def mended() -> ASGIApp:
    """Serve by Starlette, unchanged, under the middleware."""
    return StreamAdapterMiddleware(asgi())
