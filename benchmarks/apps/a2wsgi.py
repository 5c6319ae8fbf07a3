"""An ASGI application under WSGI, through a2wsgi."""

from __future__ import annotations

from typing import Any

from a2wsgi import ASGIMiddleware

from benchmarks.apps.floor import bare_asgi
from stream_adapter.types import WSGIApp

__all__ = ["wsgi"]


def wsgi() -> WSGIApp:
    """Serve a raw ASGI application that sends each chunk."""
    middleware: Any = ASGIMiddleware  # whose protocol types are its own
    app: WSGIApp = middleware(bare_asgi())
    return app
