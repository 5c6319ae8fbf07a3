"""Flask's own streams, stream_adapter in Flask, and a Flask application under ASGI."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask import Response as FlaskResponse
from flask.typing import ResponseReturnValue

import stream_adapter as sa
from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp, WSGIApp
from stream_adapter.wsgi import StreamAdapterMiddleware
from stream_adapter_flask import streaming

__all__ = ["adapted", "by_a2wsgi", "by_asgiref", "by_to_asgi", "mended", "wsgi"]


def _view(path: str) -> ResponseReturnValue:
    return FlaskResponse(source_for(path))


@streaming
def _our_view(path: str) -> object:
    return source_for(path)


def wsgi() -> WSGIApp:
    """Serve by Flask."""
    app = Flask(__name__)
    app.get("/<path:path>")(_view)
    return app


def mended() -> WSGIApp:
    """Serve by Flask, unchanged, under the middleware."""
    return StreamAdapterMiddleware(wsgi())


def adapted() -> WSGIApp:
    """Serve by our Flask integration."""
    app = Flask(__name__)
    app.get("/<path:path>")(_our_view)
    return app


def by_a2wsgi() -> ASGIApp:
    """Serve Flask's own streams under ASGI, through a2wsgi."""
    from a2wsgi import WSGIMiddleware  # noqa: PLC0415  # only its own contender imports it

    middleware: Any = WSGIMiddleware  # whose protocol types are its own
    app: ASGIApp = middleware(wsgi())
    return app


def by_asgiref() -> ASGIApp:
    """Serve Flask's own streams under ASGI, through asgiref."""
    from asgiref.wsgi import WsgiToAsgi  # noqa: PLC0415  # only its own contender imports it

    middleware: Any = WsgiToAsgi  # which has no types
    app: ASGIApp = middleware(wsgi())
    return app


def by_to_asgi() -> ASGIApp:
    """Serve Flask's own streams under ASGI, through stream_adapter."""
    return sa.to_asgi(wsgi())
