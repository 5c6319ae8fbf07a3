"""Routes with `streaming=True`; without it they are Django's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias, overload

from django import urls
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver

from stream_adapter.integration import response_of_view

from ._response import answer_of
from ._views import adapt

__all__ = ["path", "re_path"]

View: TypeAlias = Callable[..., object]
Included: TypeAlias = tuple[Any, Any, Any] | list[URLPattern | URLResolver]  # what `include` returns, or stands for it
Kwargs: TypeAlias = dict[str, Any] | None


@overload
def path(
    route: Any, view: View, kwargs: Kwargs = None, name: str | None = None, *, streaming: bool = False
) -> URLPattern: ...
@overload
def path(
    route: Any, view: Included, kwargs: Kwargs = None, name: str | None = None, *, streaming: Literal[False] = False
) -> URLResolver: ...
def path(
    route: Any, view: Any, kwargs: Kwargs = None, name: str | None = None, *, streaming: bool = False
) -> URLPattern | URLResolver:
    """Return a route, as `django.urls.path` does.

    Args:
        route: the pattern.
        view: the view, or what `include` returned.
        kwargs: further arguments for the view.
        name: what `reverse` finds it by.
        streaming: stream what the view yields or returns, as `@streaming` does; what cannot be streamed is an error.

    Raises:
        TypeError: `streaming` is given for an `include`.
    """
    made: URLPattern | URLResolver = urls.path(route, _streamed(view) if streaming else view, kwargs, name)
    return made


@overload
def re_path(
    route: Any, view: View, kwargs: Kwargs = None, name: str | None = None, *, streaming: bool = False
) -> URLPattern: ...
@overload
def re_path(
    route: Any, view: Included, kwargs: Kwargs = None, name: str | None = None, *, streaming: Literal[False] = False
) -> URLResolver: ...
def re_path(
    route: Any, view: Any, kwargs: Kwargs = None, name: str | None = None, *, streaming: bool = False
) -> URLPattern | URLResolver:
    """Return a route, as `django.urls.re_path` does; the arguments are those of `path`."""
    made: URLPattern | URLResolver = urls.re_path(route, _streamed(view) if streaming else view, kwargs, name)
    return made


def _streamed(view: Any) -> Callable[..., Any]:
    if not callable(view):
        raise TypeError(f"streaming=True: expected a view, got {type(view).__name__}; give it to the routes inside")
    return adapt(view, partial(_converted, view=view))


def _converted(result: Any, request: Any, *, view: Any) -> HttpResponseBase:
    return result if isinstance(result, HttpResponseBase) else answer_of(response_of_view(result, view), request)
