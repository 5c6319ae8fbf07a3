"""Files, by Flask, by stream_adapter in Flask, and by Flask under ASGI."""

from __future__ import annotations

from flask import Flask, Response, send_file

import stream_adapter as sa
from benchmarks.apps.downloads import path_of
from stream_adapter.types import ASGIApp
from stream_adapter_flask import stream_response

__all__ = ["adapted", "by_to_asgi", "wsgi"]


def wsgi() -> Flask:
    """Send each by Flask's send_file."""
    app = Flask(__name__)

    @app.get("/<name>")
    def file(name: str) -> Response:
        return send_file(path_of(name))

    return app


def adapted() -> Flask:
    """Send each by stream_adapter."""
    app = Flask(__name__)

    @app.get("/<name>")
    def file(name: str) -> Response:
        return stream_response(sa.file(path_of(name)))

    return app


def by_to_asgi() -> ASGIApp:
    """Send each by Flask's send_file, under ASGI."""
    return sa.to_asgi(wsgi())
