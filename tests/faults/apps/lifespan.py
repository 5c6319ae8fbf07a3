"""What every ASGI application under test has around it."""

from __future__ import annotations

import stream_adapter as sa
from stream_adapter.types import ASGIApp, Receive, Scope, Send

from .reporter import reporter


def with_lifespan(app: ASGIApp) -> ASGIApp:
    """Drain on SIGTERM, from start-up on: by then each server has set its handlers; granian not when it imports."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        reporter.on_loop()
        if scope["type"] == "lifespan":
            sa.drain_on_signal()
            await sa.Response(None).asgi(scope, receive, send)
        else:
            await app(scope, receive, send)

    return asgi
