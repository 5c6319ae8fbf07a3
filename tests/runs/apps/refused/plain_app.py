from __future__ import annotations

from collections.abc import Iterable

from stream_adapter.asgi import StreamAdapterMiddleware as ASGIMiddleware
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse
from stream_adapter.wsgi import StreamAdapterMiddleware as WSGIMiddleware
from tests.runs.apps.refused import ASYNC_WAYS, WAYS


def wsgi_app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    WAYS[environ["PATH_INFO"].lstrip("/")]()
    start_response("200 OK", [])
    return []


async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    await ASYNC_WAYS[scope["path"].lstrip("/")]()


wsgi, asgi = WSGIMiddleware(wsgi_app), ASGIMiddleware(asgi_app)
