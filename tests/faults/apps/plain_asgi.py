"""Plain ASGI, alone, and behind a middleware that ends in form what has failed, unless it is kept from it."""

from __future__ import annotations

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter.types import Receive, Scope, Send

from . import sources
from .lifespan import with_lifespan


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["path"].strip("/").split("/"):
        case ["stream", name, way, options]:
            await sources.make(name, way, options).asgi(scope, receive, send)
        case _:
            await sa.Response(b"hello").asgi(scope, receive, send)


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


app = with_lifespan(plain)
behind_middleware = with_lifespan(BaseHTTPMiddleware(plain, dispatch=pass_on))
behind_two = with_lifespan(
    BaseHTTPMiddleware(GZipMiddleware(BaseHTTPMiddleware(plain, dispatch=pass_on)), dispatch=pass_on)
)
