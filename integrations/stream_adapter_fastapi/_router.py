"""`streaming=True` on a route: FastAPI's route decorators once more, with that keyword."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter

from ._compat import DefaultPlaceholder
from ._marks import documented_response
from ._openapi import extend_documentation
from ._routes import keep_endpoint
from ._stream import options_of
from ._views import streaming as streamed

__all__ = ["RouteDecorators", "StreamRouter", "prepare_route"]

View = TypeVar("View", bound=Callable[..., Any])


class RouteDecorators:
    """The route decorators. Each takes FastAPI's options, and `streaming`: whether the result must be a stream."""

    def _declare(self, name: str, /, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Return a decorator that adds a route, as FastAPI's decorator of this name does."""
        raise NotImplementedError

    def api_route(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for the given methods."""
        return self._declare("api_route", path, streaming=streaming, **options)

    def get(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for GET."""
        return self._declare("get", path, streaming=streaming, **options)

    def put(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for PUT."""
        return self._declare("put", path, streaming=streaming, **options)

    def post(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for POST."""
        return self._declare("post", path, streaming=streaming, **options)

    def delete(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for DELETE."""
        return self._declare("delete", path, streaming=streaming, **options)

    def options(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for OPTIONS."""
        return self._declare("options", path, streaming=streaming, **options)

    def head(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for HEAD."""
        return self._declare("head", path, streaming=streaming, **options)

    def patch(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for PATCH."""
        return self._declare("patch", path, streaming=streaming, **options)

    def trace(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for TRACE."""
        return self._declare("trace", path, streaming=streaming, **options)


def prepare_route(
    endpoint: Callable[..., Any], path: str, *, streaming: bool, options: dict[str, Any]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the view and the options that FastAPI is given.

    Raises:
        TypeError: the response class cannot be that of a stream.
    """
    if streaming and documented_response(endpoint) is None:
        endpoint = streamed(endpoint)
    described = documented_response(endpoint)
    if described is None:
        return endpoint, options
    of_route = options_of(options.get("response_class"), path)
    model = options.get("response_model")
    if isinstance(model, DefaultPlaceholder):
        model = None
    return endpoint, {**options, "response_class": extend_documentation(described, model, of_route)}


class StreamRouter(RouteDecorators, APIRouter):
    """An APIRouter whose routes take `streaming=True`: a result that cannot be streamed is then a TypeError.

    The arguments are APIRouter's. Included in an application, it works with or without a StreamAdapter.
    """

    def _declare(self, name: str, /, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        if name != "api_route":
            options = {"methods": [name.upper()], **options}

        def add(view: View) -> View:
            self.add_api_route(path, view, streaming=streaming, **options)
            return view

        return add

    def add_api_route(
        self, path: str, endpoint: Callable[..., Any], *, streaming: bool = False, **options: Any
    ) -> None:
        """Add a route."""
        prepared, options = prepare_route(endpoint, path, streaming=streaming, options=options)
        APIRouter.add_api_route(self, path, prepared, **options)
        keep_endpoint(self.routes[-1], endpoint, instead_of=prepared)
