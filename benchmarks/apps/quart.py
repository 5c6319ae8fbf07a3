"""Quart's own streams."""

from __future__ import annotations

from quart import Quart, Response

from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp

__all__ = ["asgi"]


async def _view(path: str) -> Response:
    return Response(source_for(path))


def asgi() -> ASGIApp:
    """Serve by Quart."""
    app = Quart(__name__)
    app.get("/<path:path>")(_view)
    served: ASGIApp = app  # type: ignore[assignment]  # it has protocol types of its own  # pyright: ignore
    return served
