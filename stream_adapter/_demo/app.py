"""One ASGI application: the three frameworks, each under its own path, and the page that shows them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from stream_adapter import sse
from stream_adapter.asgi import to_asgi
from stream_adapter.types import ASGIApp
from stream_adapter_fastapi import stream_response

from . import broker, sources
from .django_app import app as django_app
from .fastapi_app import app as fastapi_app
from .flask_app import app as flask_app
from .listing import listing

__all__ = ["FRAMEWORKS", "PORTS", "make_app"]

FRAMEWORKS: dict[str, ASGIApp] = {
    "flask": to_asgi(flask_app),
    "django": cast("ASGIApp", django_app),  # its stubs ask for a scope that is a dict
    "fastapi": fastapi_app,
}

PORTS = (*FRAMEWORKS, "answer", "news", "leaving")
"""What the page reads from a port of its own."""

_STATIC = Path(__file__).with_name("static")


def make_app(ports: Mapping[str, int]) -> Starlette:
    """Make the application.

    Args:
        ports: a further port for each of `PORTS`: all of this application is served there too, as another origin.
    """

    async def tell_ports(_: Request) -> Response:
        return JSONResponse(dict(ports))

    async def show_code(_: Request) -> Response:
        return JSONResponse(listing(FRAMEWORKS))

    async def open_generators(_: Request) -> Response:
        return stream_response(sse(sources.open_generators()))

    return Starlette(
        routes=[
            *(Mount(f"/{name}", app) for name, app in FRAMEWORKS.items()),
            Route("/ports", tell_ports),
            Route("/code", show_code),
            Route("/open", open_generators),
            Mount("/", _Page(directory=_STATIC, html=True)),
        ],
        middleware=[Middleware(CORSMiddleware, allow_origins=["*"], expose_headers=["X-Total-Rows"])],
        lifespan=_lifespan,
    )


class _Page(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file that browsers ask for again, so that an upgrade never mixes two versions of the page."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncGenerator[None]:
    ticking = asyncio.create_task(broker.tick())
    try:
        yield
    finally:
        ticking.cancel()
        await broker.live.aclose()
