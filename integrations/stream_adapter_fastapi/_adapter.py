"""App-wide: whatever stream a view returns is streamed, with no decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from fastapi import FastAPI
from starlette.applications import Starlette

from stream_adapter.integration import ResponseOptions, checked_options
from stream_adapter.types import ASGIApp

from ._adoption import adopt, adopted
from ._openapi import document_streams
from ._router import Verbs, prepare

__all__ = ["StreamAdapter"]

_VERBS = ("add_api_route", "api_route", "get", "put", "post", "delete", "options", "head", "patch", "trace")


class StreamAdapter(Verbs):
    """Stream the generators, iterators and Responses that an application's views return.

    Routes and routers may be added before it or after, until the application starts. Lists, dicts and text stay
    FastAPI's own, and so does a generator function without `@streaming`. The route decorators here take
    `streaming=True`; those of the application become these: `app.get("/rows", streaming=True)`, which a type checker
    does not know, is `adapter.get("/rows", streaming=True)`, which it does.

    Args:
        app: a FastAPI or Starlette application. One that is mounted in another has an adapter of its own, or none.
        **defaults: options of Response, for whatever the application streams.

    Raises:
        TypeError: a default is unknown or of the wrong type.
        ValueError: a default has a value that is not allowed.
    """

    def __init__(self, app: Starlette, **defaults: Unpack[ResponseOptions]) -> None:
        app.state.stream_adapter = checked_options(**defaults)  # so that a bad one is an error here
        self._app = app
        app.add_middleware(self._start)
        if isinstance(app, FastAPI):
            self._add_api_route: Callable[..., None] = app.add_api_route
            self._openapi = app.openapi
            vars(app).update({name: getattr(self, name) for name in (*_VERBS, "openapi")})

    def _start(self, app: ASGIApp) -> ASGIApp:
        """Adopt the routes; called when the application builds its middleware, which is when it starts."""
        adopt(self._app.routes)
        return app

    def openapi(self) -> dict[str, Any]:
        """Return the application's OpenAPI document, in which streams have their media types and schemas."""
        adopt(self._app.routes)
        document = self._openapi()
        document_streams(document, self._app.routes, **self._app.state.stream_adapter)
        return document

    def add_api_route(
        self, path: str, endpoint: Callable[..., Any], *, streaming: bool = False, **options: Any
    ) -> None:
        """Add a route to the application."""
        endpoint, options = prepare(endpoint, streaming=streaming, options=options)
        self._add_api_route(path, adopted(endpoint), **options)
