"""stream_adapter without a framework."""

from __future__ import annotations

from collections.abc import Iterable

import stream_adapter as sa
from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp

__all__ = ["asgi", "wsgi", "wsgi_bulk"]


def asgi() -> ASGIApp:
    """Serve a Response under ASGI."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sa.Response(source_for(scope["path"])).asgi(scope, receive, send)

    return app


def wsgi() -> WSGIApp:
    """Serve a Response under WSGI."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return sa.Response(source_for(environ["PATH_INFO"])).wsgi(environ, start_response)

    return app


def wsgi_bulk() -> WSGIApp:
    """Serve a Response that may fill its blocks."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return sa.Response(source_for(environ["PATH_INFO"]), flush="bulk").wsgi(environ, start_response)

    return app
