"""Every undocumented or moving name of FastAPI and Starlette that this package uses; no other module here has one.

Read at FastAPI 0.138 to 0.165 and Starlette 1.10:

    iter_route_contexts   the routes of an application, those of included routers among them, each with the `dependant`
                          that is read at every request
    dependant.call        called with the values of `dependant.dependencies`, and awaited if it was a coroutine function
                          when the route's handler was made
    get_route_handler     called for a route and, with a context variable set, once more by each router that includes it
                          (by 0.138 at each request); "integrations may wrap dependant.call" there, says FastAPI
    get_typed_*           a view's parameters and return annotation, with names resolved where they were written
    fastapi_inner_astack  in the scope: the exit stack of a request, on which FastAPI puts dependencies that yield
    Request._receive      what `stream`, `body` and `form` read from, looked up at each message
    _exception_handler    and `middleware`: where Starlette awaits the responses of handlers and of middleware
    original_router, app  where included routers, mounted applications and the middleware of a route keep what is below
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import cached_property, partial
from importlib.metadata import version
from types import FrameType, GenericAlias
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from stream_adapter.types import Receive

try:
    from fastapi.datastructures import DefaultPlaceholder
    from fastapi.dependencies.models import Dependant
    from fastapi.dependencies.utils import (
        get_dependant,
        get_stream_item_type,
        get_typed_return_annotation,
        get_typed_signature,
    )
    from fastapi.exceptions import ResponseValidationError
    from fastapi.routing import (
        APIRoute,
        RouteContext,
        _effective_route_context_var,  # pyright: ignore[reportPrivateUsage]  # it has no public name
        iter_route_contexts,
    )
    from fastapi.sse import EventSourceResponse
except ImportError as error:
    raise ImportError(
        f"stream_adapter_fastapi supports FastAPI 0.138 and later, and was written for 0.138 to 0.165; FastAPI"
        f" {version('fastapi')} is installed: {error}"
    ) from error

__all__ = [
    "APIRoute",
    "DefaultPlaceholder",
    "EventSourceResponse",
    "ResponseValidationError",
    "RouteContext",
    "answers_for_view",
    "awaiting_frame",
    "call_everywhere",
    "call_in",
    "call_of",
    "call_where_prepared",
    "close_after",
    "declared_model",
    "get_stream_item_type",
    "get_typed_return_annotation",
    "get_typed_signature",
    "iter_route_contexts",
    "replace_endpoint_app",
    "routes_below",
    "set_receive",
]


def call_of(route: APIRoute) -> Callable[..., Any] | None:
    """Return what FastAPI calls for a route."""
    return route.dependant.call


def call_in(context: RouteContext) -> Callable[..., Any] | None:
    """Return what FastAPI calls for a route where it is included; None for a route of Starlette's."""
    dependant: Any = getattr(context, "dependant", None)
    call: Callable[..., Any] | None = None if dependant is None else dependant.call
    return call


def call_everywhere(route: APIRoute, wrapper: Callable[..., Any], **dependency: Callable[..., Any]) -> None:
    """Make FastAPI call `wrapper` for a route, wherever the route is included. Its endpoint stays as it was.

    Args:
        route: the route.
        wrapper: what is called.
        **dependency: a parameter of the wrapper, and what FastAPI calls for its value.
    """
    _replace_call(route.dependant, wrapper, dependency)
    vars(route)["get_route_handler"] = partial(_handler_of, route, wrapper, dependency)


def call_where_prepared(
    routes: Sequence[BaseRoute], is_wrapper: Callable[[Any], bool], **dependency: Callable[..., Any]
) -> None:
    """Do the same where FastAPI has prepared a route already: it does so when it is asked for a URL.

    Args:
        routes: those of the application.
        is_wrapper: returns True for a wrapper.
        **dependency: as for `call_everywhere`.
    """
    for context in iter_route_contexts(routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.dependant.call is not None and is_wrapper(route.dependant.call):
            _replace_call(context.dependant, route.dependant.call, dependency)


def _handler_of(route: APIRoute, wrapper: Callable[..., Any], dependency: dict[str, Callable[..., Any]]) -> Any:
    """Make the handler of a route, or of one router that includes it."""
    context: Any = _effective_route_context_var.get()
    included_as: Any = route if context is None or context.original_route is not route else context
    _replace_call(included_as.dependant, wrapper, dependency)
    return type(route).get_route_handler(route)


def _replace_call(dependant: Dependant, wrapper: Callable[..., Any], dependency: dict[str, Callable[..., Any]]) -> None:
    if dependant.call is not wrapper:
        _set_call(dependant, wrapper)
    known = {each.name for each in dependant.dependencies}
    path = dependant.path or ""
    dependant.dependencies += [
        get_dependant(path=path, call=call, name=name) for name, call in dependency.items() if name not in known
    ]


def _set_call(dependant: Dependant, call: Callable[..., Any]) -> None:
    """Make FastAPI call another function; 0.138 keeps what kind of function it was."""
    dependant.call = call
    for name, attribute in vars(type(dependant)).items():
        if isinstance(attribute, cached_property):
            vars(dependant).pop(name, None)


def routes_below(route: BaseRoute) -> tuple[Iterable[BaseRoute], bool]:
    """Return the routes of an included router or of a mounted application, and True if it is an included router."""
    router: Any = getattr(route, "original_router", None)
    routes: Iterable[BaseRoute] = getattr(router or route, "routes", None) or ()
    return routes, router is not None


def replace_endpoint_app(route: Route, app: Any) -> bool:
    """Put `app` in the place of a Starlette route's endpoint, below the middleware of the route.

    Returns:
        False if the endpoint was not found there.
    """
    holder: Any = route
    while not inspect.isroutine(holder.app):
        if not hasattr(holder.app, "app"):
            return False
        holder = holder.app
    holder.app = app
    return True


def declared_model(route: APIRoute) -> Any:
    """Return what FastAPI takes a route's output for, given or by the annotation; None if it takes it for nothing.

    FastAPI 0.138 takes `Iterable[Item]` for the stream of any view, later versions for that of a generator function.
    """
    item = route.stream_item_type
    return route.response_model if item is None else GenericAlias(list, (item,))


def awaiting_frame() -> FrameType | None:
    """Return the frame of the code that awaits this package."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals["__name__"].startswith("stream_adapter_fastapi."):
        frame = frame.f_back
    return frame


def answers_for_view() -> bool:
    """Return True if an exception handler or a middleware awaits this package, not the route of the view."""
    frame = awaiting_frame()
    name = "" if frame is None else frame.f_globals["__name__"]
    return name == "starlette._exception_handler" or name.startswith("starlette.middleware.")


def set_receive(request: Request, receive: Receive) -> None:
    """Make a request read its body from something else, also where it has begun to read."""
    request._receive = receive  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it has no setter


def close_after(request: Request, opened: AbstractAsyncContextManager[object]) -> None:
    """Close something at the end of a request, as if a dependency had yielded it here."""
    stack: AsyncExitStack = request.scope["fastapi_inner_astack"]
    stack.push_async_exit(opened)
