"""App-wide: whatever stream a view returns is streamed, with no decorator."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Unpack

from fastapi import FastAPI
from starlette.applications import Starlette

from stream_adapter.integration import ResponseKeywords, checked_options, shows_options
from stream_adapter.types import ASGIApp

from ._openapi import document_streams
from ._router import RouteDecorators, prepare_route
from ._routes import keep_endpoint, wrap_endpoint, wrap_routes

__all__ = ["StreamAdapter"]

_DECORATORS = ("api_route", "get", "put", "post", "delete", "options", "head", "patch", "trace")


class StreamAdapter(RouteDecorators):
    """Stream the generators, iterators and Responses that an application's views return.

    Routes and routers may be added before it or after, until the application starts. Lists, dicts and text stay
    FastAPI's own, and so does a generator function without `@streaming`. The route decorators here take
    `streaming=True`, and whatever FastAPI's take; those of the application do from now on, too:
    `app.get("/rows", streaming=True)`, which a type checker does not know, is `adapter.get("/rows", streaming=True)`,
    which it does.

    Args:
        app: a FastAPI or Starlette application. One that is mounted in another has an adapter of its own, or none.
        **defaults: options of Response, for whatever the application streams.

    Raises:
        TypeError: `app` is not an application, or a default is unknown or of the wrong type.
        ValueError: a default has a value that is not allowed.
    """

    @shows_options()
    def __init__(self, app: Starlette, **defaults: Unpack[ResponseKeywords]) -> None:
        if not isinstance(app, Starlette):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers need not be typed
            raise TypeError(
                f"StreamAdapter: expected a FastAPI or Starlette application, got {type(app).__name__}; call"
                " StreamAdapter(app) once, without add_middleware; a router with streaming=True is StreamRouter()"
            )
        app.state.stream_adapter = checked_options(**defaults)  # so that a bad one is an error here
        self._app = app
        app.add_middleware(self._start)
        if isinstance(app, FastAPI):
            # FastAPI's own, which are called with what these are given, apart from `streaming`
            self._add_api_route: Callable[..., None] = app.add_api_route
            self._decorators: dict[str, Callable[..., Any]] = {name: getattr(app, name) for name in _DECORATORS}
            self._openapi = app.openapi
            self._documented: dict[str, Any] | None = None
            replaced = {name: partial(self._declare, name) for name in _DECORATORS}
            vars(app).update(replaced, add_api_route=self.add_api_route, openapi=self.openapi)

    def _start(self, app: ASGIApp) -> ASGIApp:
        """Wrap the routes; called when the application builds its middleware, which is when it starts."""
        wrap_routes(self._app.routes)
        return app

    def openapi(self) -> dict[str, Any]:
        """Return the application's OpenAPI document, in which streams have their media types and schemas."""
        wrap_routes(self._app.routes)
        document = self._openapi()
        if document is not self._documented:  # FastAPI keeps what it made
            document_streams(document, self._app.routes, self._app.state.stream_adapter)
            self._documented = document
        return document

    def add_api_route(
        self, path: str, endpoint: Callable[..., Any], *, streaming: bool = False, **options: Any
    ) -> None:
        """Add a route to the application."""
        self._add(partial(self._add_api_route, path), path, endpoint, streaming=streaming, options=options)

    def _declare(self, name: str, /, path: str, *, streaming: bool = False, **options: Any) -> Callable[[Any], Any]:
        """Return a decorator that adds a route by FastAPI's decorator of this name."""
        decorator_of = partial(self._decorators[name], path)
        decorator_of(**options)  # an option that FastAPI does not take is an error here, as it is without the adapter

        def add(endpoint: Callable[..., Any], **given: Any) -> None:
            decorator_of(**given)(endpoint)

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            self._add(add, path, view, streaming=streaming, options=options)
            return view

        return decorate

    def _add(
        self, add: Callable[..., Any], path: str, view: Callable[..., Any], *, streaming: bool, options: dict[str, Any]
    ) -> None:
        endpoint, options = prepare_route(view, path, streaming=streaming, options=options)
        endpoint = wrap_endpoint(endpoint)
        add(endpoint, **options)
        keep_endpoint(self._app.routes[-1], view, instead_of=endpoint)
