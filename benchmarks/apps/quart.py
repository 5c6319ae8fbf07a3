"""Quart's own streams."""

from __future__ import annotations

from typing import Any, cast

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
    served: Any = app  # whose protocol types are its own
    return cast("ASGIApp", served)
