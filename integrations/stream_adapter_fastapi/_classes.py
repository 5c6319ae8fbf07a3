"""What a route's `response_class` says of its stream."""

from __future__ import annotations

from typing import Any

from fastapi.responses import FileResponse, RedirectResponse
from starlette.responses import Response

from stream_adapter.formats import SSE
from stream_adapter.integration import ResponseOptions

from ._compat import DefaultPlaceholder, EventSourceResponse
from ._openapi import Described

__all__ = ["options_of", "refuse_events"]


def options_of(response_class: Any, route: str) -> ResponseOptions:
    """Return the options that a response class stands for: events, or its media type.

    Args:
        response_class: a class of Starlette's or FastAPI's, or FastAPI's placeholder for its default.
        route: what it is the response class of, for the error.

    Raises:
        TypeError: a response of this class cannot be a stream.
    """
    if response_class is None or isinstance(response_class, DefaultPlaceholder):
        return {}
    if issubclass(response_class, Described):
        of_route: ResponseOptions = response_class.of_route
        return of_route
    if issubclass(response_class, EventSourceResponse):
        return {"format": SSE()}
    if issubclass(response_class, (FileResponse, RedirectResponse)) or not issubclass(response_class, Response):
        raise TypeError(
            f"{route}: response_class: expected EventSourceResponse, StreamingResponse, or a class whose media type a"
            f" stream can have, got {response_class.__name__}; leave it out"
        )
    media_type: str | None = response_class.media_type
    return {} if media_type is None else {"media_type": media_type}


def refuse_events(response_class: Any, route: str) -> None:
    """Refuse a class by which FastAPI iterates the view itself, before it calls it.

    Raises:
        TypeError: it is EventSourceResponse.
    """
    if isinstance(response_class, type) and issubclass(response_class, EventSourceResponse):
        raise TypeError(
            f"{route}: response_class=EventSourceResponse has FastAPI iterate the view itself; leave it out and write"
            " @streaming.sse(), or give it to a route of StreamAdapter or StreamRouter"
        )
