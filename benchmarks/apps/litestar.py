"""Litestar's own Stream."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Response, get
from litestar.response import Stream

from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp

__all__ = ["asgi"]


@get("/{path:path}", media_type="text/plain")
async def _view(path: str) -> Response[str] | Stream:
    content = source_for(path)
    return Response(content, media_type="text/plain") if isinstance(content, str) else Stream(content)


def asgi() -> ASGIApp:
    """Serve by Litestar."""
    litestar: Any = Litestar  # whose protocol types are its own
    app: ASGIApp = litestar([_view], openapi_config=None)
    return app
