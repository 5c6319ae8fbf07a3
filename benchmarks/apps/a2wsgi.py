"""An ASGI application under WSGI, through a2wsgi."""

from __future__ import annotations

from a2wsgi import ASGIMiddleware

from benchmarks.apps.floor import bare_asgi
from stream_adapter.types import WSGIApp

__all__ = ["wsgi"]


def wsgi() -> WSGIApp:
    """Serve a raw ASGI application that sends each chunk."""
    app: WSGIApp = ASGIMiddleware(bare_asgi())  # type: ignore[arg-type,assignment]  # protocol types of its own  # pyright: ignore
    return app
