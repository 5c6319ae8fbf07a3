"""The dependency: `stream: Stream` in a view's parameters, and `return stream(rows())` in its body."""

from __future__ import annotations

from typing import Annotated, Any, Self, TypeAlias, Unpack

from fastapi import Depends
from fastapi.responses import FileResponse, RedirectResponse
from starlette.requests import Request
from starlette.responses import Response

from stream_adapter.formats import SSE
from stream_adapter.integration import (
    RequestHead,
    ResponseKeywords,
    ResponseOptions,
    as_response,
    checked_options,
    shows_options,
)
from stream_adapter.types import Scope, Source

from ._compat import DefaultPlaceholder, EventSourceResponse, close_after
from ._openapi import DocumentedResponse
from ._receiving import share_receive
from ._refusals import AnsweringRefusals
from ._response import StreamResponse

__all__ = ["Injected", "Stream", "Streamer", "make_streamer", "options_of"]

_NONE = checked_options()
_NOT_A_FUNCTION = (
    "Stream: expected FastAPI to call it for a request, got {}; annotate a parameter of the view with it, `stream:"
    " Stream`, and return stream(…); without a parameter, return stream_response(…)"
)


class Made:
    """What was made for one request, which its end closes if it was never called.

    Attributes:
        responses: what was made.
    """

    __slots__ = ("responses",)

    def __init__(self) -> None:
        self.responses: list[StreamResponse] = []

    async def aclose(self) -> None:
        """Close what was never called."""
        for made in self.responses:
            await made.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Streamer:
    """Make the streams of one request.

    Args:
        request: its application's defaults, and the status and response class of its route apply, and its body may be
            read while it is answered. None for a view that is called without one.
        injected: FastAPI's response of this request, in which dependencies and the view set headers and a status.
    """

    def __init__(self, request: Request[Any] | None = None, injected: Response | None = None) -> None:
        if request is not None:
            try:
                share_receive(request)
            except AttributeError:
                raise TypeError(_NOT_A_FUNCTION.format(type(request).__name__)) from None
        self._request = request
        self._scope: Scope = {} if request is None else request.scope
        self._injected = injected
        self.made: Made = Made()

    @shows_options()
    def __call__(self, content: Source, **options: Unpack[ResponseKeywords]) -> StreamResponse:
        """Make the response that the view returns; nothing is pulled from the content here.

        Args:
            content: whatever a Response takes, or a Response.
            **options: those of Response; a Response's own come first.
        """
        response = as_response(content, **options)
        for defaults in (self._of_route(), self.app_defaults or _NONE):
            response = response.with_defaults(defaults)
        made = StreamResponse(response, self._injected, self._request)
        self.made.responses.append(made)
        return made

    def with_request(self, response: Response) -> Response:
        """Return a response that the view made itself, and give it the request if it is a stream."""
        if isinstance(response, StreamResponse):
            response.request = self._request
        return response

    def answering_refusals(self) -> AnsweringRefusals:
        """Raise a refusal that the view raises in the form in which the application answers it."""
        return AnsweringRefusals(self._scope)

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that the client has seen; None for one that starts from the beginning.

        It is that of the Last-Event-ID header, or else of the query parameter `last_event_id` (WHATWG HTML, 9.2.4).
        """
        return RequestHead.from_scope(self._scope).last_event_id

    @property
    def app_defaults(self) -> ResponseOptions | None:
        """What the application's StreamAdapter was given; None if it has none.

        An application with a StreamRouter alone may set a dict of options as `app.state.stream_adapter`.
        """
        state: Any = getattr(self._scope.get("app"), "state", None)
        given: ResponseOptions | ResponseKeywords | None = getattr(state, "stream_adapter", None)
        return checked_options(**given) if isinstance(given, dict) else given

    def _of_route(self) -> ResponseOptions:
        """Return what the route declares, and the status that a dependency set."""
        route = self._scope.get("route")
        of_app = getattr(getattr(self._scope.get("app"), "router", None), "default_response_class", None)
        declared = getattr(route, "response_class", None)
        options = _NONE if declared is of_app else options_of(declared, _path_of(route))
        routed: int | None = getattr(route, "status_code", None)
        status = routed if self._injected is None else self._injected.status_code or routed
        return options if status is None else checked_options(status_code=status).filled_in(options)

    async def aclose(self) -> None:
        """Close what was made and never called: a view may raise after it, or return something else."""
        await self.made.aclose()


def _path_of(route: Any) -> str:
    return getattr(route, "path", "")


def options_of(response_class: Any, route: str) -> ResponseOptions:
    """Return the options that a response class stands for: events, or its media type.

    Args:
        response_class: a class of Starlette's or FastAPI's, or FastAPI's placeholder for its default.
        route: what it is the response class of, for the error.

    Raises:
        TypeError: a response of this class cannot be a stream.
    """
    if response_class is None or isinstance(response_class, DefaultPlaceholder):
        return _NONE
    if issubclass(response_class, DocumentedResponse):
        of_route: ResponseOptions = response_class.of_route
        return of_route
    if issubclass(response_class, EventSourceResponse):
        return checked_options(format=SSE())
    if issubclass(response_class, (FileResponse, RedirectResponse)) or not issubclass(response_class, Response):
        raise TypeError(
            f"{route}: response_class: expected EventSourceResponse, StreamingResponse, or a class whose media type a"
            f" stream can have, got {response_class.__name__}; leave it out"
        )
    media_type: str | None = response_class.media_type
    return _NONE if media_type is None else checked_options(media_type=media_type)


def _refuse_events(response_class: Any, route: str) -> None:
    """Refuse a class that makes FastAPI iterate the view itself, before it calls it.

    Raises:
        TypeError: it is EventSourceResponse.
    """
    if isinstance(response_class, type) and issubclass(response_class, EventSourceResponse):
        raise TypeError(
            f"{route}: response_class=EventSourceResponse has FastAPI iterate the view itself; leave it out and write"
            " @streaming.sse(), or give it to a route of StreamAdapter or StreamRouter"
        )


async def make_streamer(request: Request, response: Response) -> Streamer:
    """Make the request's one Streamer, in which FastAPI's own response is known."""
    route = request.scope.get("route")
    _refuse_events(getattr(route, "response_class", None), _path_of(route))
    return Streamer(request, response)


Injected: TypeAlias = Annotated[Streamer, Depends(make_streamer)]


async def _open_stream(streamer: Injected, request: Request) -> Streamer:
    close_after(request, streamer.made)  # a generator, which FastAPI would close, takes a kilobyte for each request
    return streamer


Stream: TypeAlias = Annotated[Streamer, Depends(_open_stream)]
"""Annotate a parameter with it: `async def rows(stream: Stream): return stream(generate(), media_type="text/csv")`."""
