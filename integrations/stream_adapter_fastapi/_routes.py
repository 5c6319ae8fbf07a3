"""Convert the results of views whose routes are declared already.

FastAPI calls the view of a route, or a wrapper in its place: see `_compat.call_everywhere`. `endpoint`
stays the view, for code that looks it up: `scope["endpoint"]`, `route.endpoint`, and the routers that include it.
Starlette keeps its view in `route.app`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route, request_response

from stream_adapter.integration import is_stream

from ._compat import (
    APIRoute,
    DefaultPlaceholder,
    call_everywhere,
    call_of,
    call_where_prepared,
    replace_endpoint_app,
    routes_below,
)
from ._marks import documented_response, is_wrapped
from ._openapi import extend_documentation
from ._stream import Streamer, make_streamer
from ._views import PARAMETER, is_generator_function, wrap

__all__ = ["keep_endpoint", "wrap_endpoint", "wrap_routes"]

_WRAPPED = "stream_adapter_wrapped"  # among the attributes of a route of Starlette's
_STREAMER = {PARAMETER: make_streamer}


def wrap_endpoint(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return the view such that streams among its results are streamed, where the application has a StreamAdapter."""
    return view if is_wrapped(view) or is_generator_function(view) else wrap(view, _convert)


def _convert(stream: Streamer, result: Any) -> Any:
    adapts = stream.app_defaults is not None  # these routes may be another application's too, or a mounted one's
    if isinstance(result, Response):
        return stream.with_request(result)
    return stream(result) if adapts and is_stream(result) else result


def wrap_routes(routes: Sequence[BaseRoute]) -> None:
    """Convert the results of these routes and of those within them; the second time, of what is new."""
    _wrap_declared(routes)
    call_where_prepared(routes, is_wrapped, **_STREAMER)


def _wrap_declared(routes: Iterable[BaseRoute], *, included: bool = False) -> None:
    for route in routes:
        if isinstance(route, APIRoute):
            _wrap_api_route(route)
        elif isinstance(route, Route):
            _wrap_plain_route(route, included=included)
        else:
            below, is_included = routes_below(route)
            _wrap_declared(below, included=included or is_included)


def _wrap_api_route(route: APIRoute) -> None:
    view = call_of(route)
    if view is None:
        return
    wrapper = wrap_endpoint(view)
    if not is_wrapped(wrapper):  # FastAPI streams it in its own way
        return
    documented = documented_response(wrapper)
    if documented is not None and isinstance(route.response_class, DefaultPlaceholder):
        route.response_class = (
            documented if route.response_model is None else extend_documentation(documented, route.response_model)
        )
    if wrapper is not view:
        call_everywhere(route, wrapper, **_STREAMER)


def keep_endpoint(route: BaseRoute, view: Callable[..., Any], *, instead_of: Callable[..., Any]) -> None:
    """Set the endpoint of a route that was declared with a wrapper to the view that was given."""
    if isinstance(route, APIRoute) and route.endpoint is instead_of and instead_of is not view:
        route.endpoint = view
        call_everywhere(route, instead_of, **_STREAMER)


def _wrap_plain_route(route: Route, *, included: bool) -> None:
    if _WRAPPED in vars(route) or is_wrapped(route.endpoint) or not inspect.isroutine(route.endpoint):
        return
    wrapper = wrap(route.endpoint, _convert)
    if not replace_endpoint_app(route, request_response(wrapper)):
        return
    if included:  # the router that includes it makes a route of the endpoint
        route.endpoint = wrapper
    vars(route)[_WRAPPED] = True
