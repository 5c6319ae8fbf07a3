"""An unchanged application, with the middleware around it and without: the last part of the path says which."""

from __future__ import annotations

from collections.abc import Iterable

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware as ASGIMiddleware
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp
from stream_adapter.wsgi import StreamAdapterMiddleware as WSGIMiddleware

from .reporter import reporter
from .sources import OPTIONS, SOURCES

__all__ = ["BARE", "either_asgi", "either_wsgi", "source"]

BARE = "bare"
_LIMITS = {name: options.get("limits", sa.Limits()) for name, options in OPTIONS.items()}


def source(name: str, way: str) -> object:
    """Return the body of one stream."""
    return SOURCES[name][way]()


def either_asgi(app: ASGIApp) -> ASGIApp:
    """Serve `app` as it is, or mended."""
    mended = {name: ASGIMiddleware(app, limits=limits, on_close=reporter.ended) for name, limits in _LIMITS.items()}

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        reporter.on_loop()
        chosen = scope.get("path", "").rpartition("/")[2]
        await (app if chosen == BARE else mended.get(chosen, mended["unlimited"]))(scope, receive, send)

    return either


def either_wsgi(app: WSGIApp) -> WSGIApp:
    """Serve `app` as it is, or mended."""
    mended = {name: WSGIMiddleware(app, limits=limits, on_close=reporter.ended) for name, limits in _LIMITS.items()}

    def either(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        chosen = environ["PATH_INFO"].rpartition("/")[2]
        return (app if chosen == BARE else mended.get(chosen, mended["unlimited"]))(environ, start_response)

    return either
