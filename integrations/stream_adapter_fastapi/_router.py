"""`streaming=True` on a route: FastAPI's route decorators once more, with that keyword."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter

from ._views import streaming as streamed
from ._wrapping import description_of

__all__ = ["StreamRouter", "Verbs"]

View = TypeVar("View", bound=Callable[..., Any])


class Verbs:
    """The route decorators. Each takes FastAPI's options, and `streaming`: whether the result must be a stream."""

    def add_api_route(
        self, path: str, endpoint: Callable[..., Any], *, streaming: bool = False, **options: Any
    ) -> None:
        """Add a route."""
        raise NotImplementedError

    def api_route(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for the given methods."""

        def add(view: View) -> View:
            self.add_api_route(path, view, streaming=streaming, **options)
            return view

        return add

    def get(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for GET."""
        return self.api_route(path, streaming=streaming, methods=["GET"], **options)

    def put(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for PUT."""
        return self.api_route(path, streaming=streaming, methods=["PUT"], **options)

    def post(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for POST."""
        return self.api_route(path, streaming=streaming, methods=["POST"], **options)

    def delete(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for DELETE."""
        return self.api_route(path, streaming=streaming, methods=["DELETE"], **options)

    def options(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for OPTIONS."""
        return self.api_route(path, streaming=streaming, methods=["OPTIONS"], **options)

    def head(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for HEAD."""
        return self.api_route(path, streaming=streaming, methods=["HEAD"], **options)

    def patch(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for PATCH."""
        return self.api_route(path, streaming=streaming, methods=["PATCH"], **options)

    def trace(self, path: str, *, streaming: bool = False, **options: Any) -> Callable[[View], View]:
        """Add a route for TRACE."""
        return self.api_route(path, streaming=streaming, methods=["TRACE"], **options)


def prepare(
    endpoint: Callable[..., Any], *, streaming: bool, options: dict[str, Any]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the view and the options that FastAPI is given."""
    if streaming and description_of(endpoint) is None:
        endpoint = streamed(endpoint)
    described = description_of(endpoint)
    return endpoint, options if described is None else {"response_class": described, **options}


class StreamRouter(Verbs, APIRouter):
    """An APIRouter whose routes take `streaming=True`: a result that cannot be streamed is then a TypeError.

    The arguments are APIRouter's. Included in an application, it works with or without a StreamAdapter.
    """

    def add_api_route(
        self, path: str, endpoint: Callable[..., Any], *, streaming: bool = False, **options: Any
    ) -> None:
        """Add a route."""
        endpoint, options = prepare(endpoint, streaming=streaming, options=options)
        APIRouter.add_api_route(self, path, endpoint, **options)
