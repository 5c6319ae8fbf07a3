"""Every undocumented or moving name of FastAPI and Starlette that this package uses.

Read at FastAPI 0.138 to 0.165 and Starlette 1.10:

    iter_route_contexts   the routes of an application, those of included routers among them, each with the `dependant`
                          that is read at every request
    dependant.call        called with the values of `dependant.dependencies`, and awaited if it was a coroutine function
                          when the route's handler was made
    get_route_handler     called for a route and, with a context variable set, once more by each router that includes it
                          (by 0.138 at each request); "integrations may wrap dependant.call" there, says FastAPI
    get_typed_*           a view's parameters and return annotation, with names resolved where they were written
    Request._receive      what `stream`, `body` and `form` read from, looked up at each message
    original_router, app  where included routers, mounted applications and the middleware of a route keep what is below
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from types import GenericAlias
from typing import Any

from starlette.requests import Request

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
        _effective_route_context_var,  # pyright: ignore[reportPrivateUsage]  # there is no public name for it
        iter_route_contexts,
    )
    from fastapi.sse import EventSourceResponse
except ImportError as error:
    raise ImportError(
        f"stream_adapter_fastapi supports FastAPI 0.138 and later, of which 0.165 is the newest that it was read at;"
        f" FastAPI {version('fastapi')} is installed: {error}"
    ) from error

__all__ = [
    "APIRoute",
    "DefaultPlaceholder",
    "Dependant",
    "EventSourceResponse",
    "ResponseValidationError",
    "RouteContext",
    "current_dependant",
    "declared_model",
    "get_dependant",
    "get_stream_item_type",
    "get_typed_return_annotation",
    "get_typed_signature",
    "iter_route_contexts",
    "receive_of",
    "set_call",
    "set_receive",
]


def current_dependant(route: APIRoute) -> Dependant:
    """Return what a handler of this route reads that is made now: its own, or that of the router which includes it."""
    context: Any = _effective_route_context_var.get()
    if context is None or context.original_route is not route:
        return route.dependant
    dependant: Dependant = context.dependant
    return dependant


def declared_model(route: APIRoute) -> Any:
    """Return what FastAPI takes a route's output for, given or by the annotation; None if it takes it for nothing.

    FastAPI 0.138 takes `Iterable[Item]` for the stream of any view, later versions for that of a generator function.
    """
    item = route.stream_item_type
    return route.response_model if item is None else GenericAlias(list, (item,))


def set_call(dependant: Dependant, call: Callable[..., Any]) -> None:
    """Have FastAPI call something else; 0.138 keeps what kind of function it was."""
    dependant.call = call
    for name, attribute in vars(type(dependant)).items():
        if isinstance(attribute, cached_property):
            vars(dependant).pop(name, None)


def receive_of(request: Request) -> Receive:
    """Return what a request reads its body from."""
    return request.receive


def set_receive(request: Request, receive: Receive) -> None:
    """Have a request read its body from something else, also where it has begun to read."""
    request._receive = receive  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it has no setter
