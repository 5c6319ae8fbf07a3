"""How routes that are there already come to convert what their views return.

FastAPI reads `dependant.call` at every request, and `endpoint` when it makes a route anew for the router that includes
it; Starlette keeps its view in `route.app`. These are set; everything else stays as it was declared.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Route, request_response

from stream_adapter.integration import is_stream

from ._stream import Streamer, make_streamer
from ._wrapping import PARAMETER, description_of, is_generator_function, is_wrapped, wrap

__all__ = ["adopt", "adopted"]


def adopted(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return the view such that streams among its results are streamed, where the application has a StreamAdapter."""
    return view if is_wrapped(view) or is_generator_function(view) else wrap(view, _convert)


def _convert(stream: Streamer, result: Any) -> Any:
    adapts = stream.app_defaults is not None  # these routes may be another application's too, or a mounted one's
    return stream(result) if adapts and is_stream(result) else result


def adopt(routes: Sequence[BaseRoute]) -> None:
    """Convert the results of these routes and of those within them; the second time, of what is new."""
    _adopt_declared(routes)
    for context in iter_route_contexts(routes):  # prepared before now, if the application was asked for a URL
        if isinstance(context.original_route, APIRoute):
            _redirect(context.dependant, context.original_route.endpoint)


def _adopt_declared(routes: Iterable[BaseRoute]) -> None:
    for route in routes:
        if isinstance(route, APIRoute):
            _adopt_api_route(route)
        elif isinstance(route, Route):
            _adopt_plain_route(route)
        else:
            router = getattr(route, "original_router", route)  # an included router, or what is mounted
            _adopt_declared(getattr(router, "routes", ()))


def _adopt_api_route(route: APIRoute) -> None:
    route.endpoint = adopted(route.endpoint)
    described = description_of(route.endpoint)
    if described is not None and isinstance(route.response_class, DefaultPlaceholder):
        route.response_class = described
    _redirect(route.dependant, route.endpoint)


def _redirect(dependant: Dependant, view: Callable[..., Any]) -> None:
    if dependant.call is not view:
        dependant.call = view
        dependant.dependencies.append(get_dependant(path=dependant.path or "", call=make_streamer, name=PARAMETER))


def _adopt_plain_route(route: Route) -> None:
    if is_wrapped(route.endpoint) or not inspect.isroutine(route.endpoint):
        return
    holder: Any = route
    while not inspect.isroutine(holder.app):  # the route's own middleware
        if not hasattr(holder.app, "app"):
            return
        holder = holder.app
    route.endpoint = wrap(route.endpoint, _convert)
    holder.app = request_response(route.endpoint)
