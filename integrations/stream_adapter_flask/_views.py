"""From what a view returns to a response: the decorator, and the step that it shares with the app-wide adapter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, Protocol, Unpack, cast, overload

from flask import Response as FlaskResponse
from flask import current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from stream_adapter import Response
from stream_adapter.errors import SourceError
from stream_adapter.integration import FormatDecorators, ResponseOptions, checked_options, run_coroutine

from ._compat import inner_generator
from ._verb import respond

__all__ = ["started", "streaming", "unpacked"]

P = ParamSpec("P")

_FLASKS_OWN = (WerkzeugResponse, HTTPException, tuple)  # a tuple here is one that Flask will refuse


class _Decorator(Protocol):
    def __call__(self, view: Callable[P, object], /) -> Callable[P, ResponseReturnValue]: ...


class _Streaming(FormatDecorators[_Decorator]):
    """Stream what a view yields or returns. It stands under the route decorator; above it, it does nothing.

    The view, sync or async, is a generator function or returns a generator, an iterable, a Response, or a tuple of one
    of them with a status, headers or both. Flask's own responses pass untouched. An async view runs on the loop of its
    generators, without Flask's `async` extra.

    Use it as `@streaming`, as `@streaming(**options)` with the options of Response, or by a format with the options of
    that format: `@streaming.sse(keepalive=5)`.
    """

    __slots__ = ()

    @overload
    def __call__(self, view: Callable[P, object], /) -> Callable[P, ResponseReturnValue]: ...
    @overload
    def __call__(self, /, **options: Unpack[ResponseOptions]) -> _Decorator: ...
    def __call__(self, view: Callable[..., object] | None = None, /, **options: Unpack[ResponseOptions]) -> Any:
        """Decorate a view, or return the decorator that has these options.

        Args:
            view: the view.
            **options: those of Response, for what the view returns.

        Raises:
            TypeError: an option is unknown or of the wrong type.
            ValueError: an option has a value that is not allowed.
        """
        return self._decorator(options) if view is None else _stream(view, options)

    def _decorator(self, options: ResponseOptions) -> _Decorator:
        options = checked_options(**options)  # a bad option is an error where it is written

        def decorate(view: Callable[P, object], /) -> Callable[P, ResponseReturnValue]:
            return _stream(view, options)

        return decorate


streaming = _Streaming()


def _stream(view: Callable[P, object], options: ResponseOptions) -> Callable[P, ResponseReturnValue]:
    @wraps(view)
    def streaming_view(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        result = view(*args, **kwargs)
        return started(run_coroutine(result) if inspect.iscoroutine(result) else result, options)

    return streaming_view


def started(result: Any, options: ResponseOptions) -> ResponseReturnValue:
    """Make a response of what a view returned, and pull its first item: an error here is one of the view's.

    Args:
        result: what the view returned. Flask's own responses, and tuples that are none of Flask's, pass untouched.
        options: those of Response; a Response that the view made has only what it was not given filled in.

    Raises:
        TypeError: it cannot be streamed.
    """
    content, status, headers = unpacked(result)
    if isinstance(content, _FLASKS_OWN):
        return cast("ResponseReturnValue", result)
    ours = isinstance(content, Response)
    made = content if ours else _response(content, status, headers)
    response = respond(made.with_defaults(**options) if options else made)
    response.start()
    if isinstance(result, tuple):  # Flask knows the status by its phrase, and treats a Response as one of its own
        applied: Any = (response, status, headers if ours else None)
        return current_app.make_response(applied)
    return response


def unpacked(result: Any) -> tuple[Any, Any, Any]:
    """Take apart what a view returned: content, status and headers, as Flask tells them apart."""
    parts = tuple(cast("Iterable[Any]", result)) if isinstance(result, tuple) else ()
    if len(parts) == 3:
        return parts
    if len(parts) == 2:
        is_headers = isinstance(parts[1], (Headers, dict, tuple, list))
        return (parts[0], None, parts[1]) if is_headers else (parts[0], parts[1], None)
    return cast("Any", result), None, None


def _response(content: Any, status: Any, headers: Any) -> Response:
    given: ResponseOptions = {}
    if status is not None:
        given["status_code"] = FlaskResponse(status=status).status_code
    if headers is not None:
        given["headers"] = list(Headers(headers))
    if content is None:
        raise TypeError(f"the view function for {request.endpoint!r} returned None, or nothing at all")
    try:
        return Response(inner_generator(content), **given)
    except SourceError as error:
        raise TypeError(f"the view function for {request.endpoint!r} returned nothing to stream: {error}") from error
