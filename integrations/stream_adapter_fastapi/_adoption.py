"""How routes that are there already come to convert what their views return.

FastAPI calls `dependant.call` at every request; that is where the wrapper goes. `endpoint` stays the view, for all who
look it up: `scope["endpoint"]`, `route.endpoint`, and the routers that include it, for each of which FastAPI makes a
dependant anew. Starlette keeps its view in `route.app`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route, request_response

from stream_adapter.integration import is_stream

from ._compat import (
    APIRoute,
    DefaultPlaceholder,
    Dependant,
    current_dependant,
    get_dependant,
    iter_route_contexts,
    set_call,
)
from ._openapi import redescribed
from ._stream import Streamer, make_streamer
from ._wrapping import PARAMETER, description_of, is_generator_function, is_wrapped, wrap

__all__ = ["adopt", "adopted", "keep_endpoint"]

_ADOPTED = "stream_adapter_adopted"  # among the attributes of a route of Starlette's


def adopted(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return the view such that streams among its results are streamed, where the application has a StreamAdapter."""
    return view if is_wrapped(view) or is_generator_function(view) else wrap(view, _convert)


def _convert(stream: Streamer, result: Any) -> Any:
    adapts = stream.app_defaults is not None  # these routes may be another application's too, or a mounted one's
    if isinstance(result, Response):
        return stream.introduce(result)
    return stream(result) if adapts and is_stream(result) else result


def adopt(routes: Sequence[BaseRoute]) -> None:
    """Convert the results of these routes and of those within them; the second time, of what is new."""
    _adopt_declared(routes)
    for context in iter_route_contexts(routes):  # prepared before now, if the application was asked for a URL
        if isinstance(context.original_route, APIRoute):
            wrapper = context.original_route.dependant.call
            if wrapper is not None and is_wrapped(wrapper):
                _redirect(context.dependant, wrapper)


def _adopt_declared(routes: Iterable[BaseRoute], *, included: bool = False) -> None:
    for route in routes:
        if isinstance(route, APIRoute):
            _adopt_api_route(route)
        elif isinstance(route, Route):
            _adopt_plain_route(route, included=included)
        else:
            router = getattr(route, "original_router", None)  # of an included router; others are mounted
            routes_below: Iterable[BaseRoute] = getattr(router or route, "routes", None) or ()
            _adopt_declared(routes_below, included=included or router is not None)


def _adopt_api_route(route: APIRoute) -> None:
    view = route.dependant.call
    if view is None:
        return
    wrapper = adopted(view)
    if not is_wrapped(wrapper):  # FastAPI streams it in its own way
        return
    described = description_of(wrapper)
    if described is not None and isinstance(route.response_class, DefaultPlaceholder):
        route.response_class = (
            described if route.response_model is None else redescribed(described, route.response_model)
        )
    if wrapper is not view:
        _have_call(route, wrapper)


def keep_endpoint(route: BaseRoute, view: Callable[..., Any], *, instead_of: Callable[..., Any]) -> None:
    """Have a route that was declared with a wrapper say that its endpoint is the view which was given."""
    if isinstance(route, APIRoute) and route.endpoint is instead_of and instead_of is not view:
        route.endpoint = view
        _have_call(route, instead_of)


def _have_call(route: APIRoute, wrapper: Callable[..., Any]) -> None:
    """Have a route call `wrapper`, wherever it is included. What it was declared with stays as it was."""
    _redirect(route.dependant, wrapper)
    vars(route)["get_route_handler"] = partial(_handler_of, route, wrapper)


def _handler_of(route: APIRoute, wrapper: Callable[..., Any]) -> Any:
    """Make the handler of a route, or of one router that includes it."""
    _redirect(current_dependant(route), wrapper)
    return type(route).get_route_handler(route)


def _redirect(dependant: Dependant, wrapper: Callable[..., Any]) -> None:
    if dependant.call is not wrapper:
        set_call(dependant, wrapper)
    if all(dependency.name != PARAMETER for dependency in dependant.dependencies):
        dependant.dependencies.append(get_dependant(path=dependant.path or "", call=make_streamer, name=PARAMETER))


def _adopt_plain_route(route: Route, *, included: bool) -> None:
    if _ADOPTED in vars(route) or is_wrapped(route.endpoint) or not inspect.isroutine(route.endpoint):
        return
    holder: Any = route
    while not inspect.isroutine(holder.app):  # the route's own middleware
        if not hasattr(holder.app, "app"):
            return
        holder = holder.app
    wrapper = wrap(route.endpoint, _convert)
    if included:  # the router that includes it makes a route of the endpoint
        route.endpoint = wrapper
    holder.app = request_response(wrapper)
    vars(route)[_ADOPTED] = True
