"""FastAPI's own StreamingResponse, and stream_adapter in FastAPI."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.responses import Response

from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp
from stream_adapter_fastapi import stream_response

__all__ = ["adapted", "asgi"]


async def _view(path: str) -> Response:
    content = source_for(path)
    return PlainTextResponse(content) if isinstance(content, str) else StreamingResponse(content)


async def _our_view(path: str) -> Response:
    return stream_response(source_for(path))


def asgi() -> ASGIApp:
    """Serve by FastAPI."""
    app = FastAPI()
    app.get("/{path:path}")(_view)
    return app


def adapted() -> ASGIApp:
    """Serve by our FastAPI integration."""
    app = FastAPI()
    app.get("/{path:path}")(_our_view)
    return app
