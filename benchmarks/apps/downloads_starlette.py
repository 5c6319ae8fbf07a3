"""Files, by Starlette."""

from __future__ import annotations

from starlette.responses import FileResponse

from benchmarks.apps.downloads import path_of
from stream_adapter.types import ASGIApp, Receive, Scope, Send

__all__ = ["asgi"]


def asgi() -> ASGIApp:
    """Send each by Starlette's FileResponse."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await FileResponse(path_of(scope["path"]))(scope, receive, send)

    return app
