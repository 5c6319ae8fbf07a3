"""From what a view returns to a response: the decorator, and the step that it shares with the app-wide adapter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, cast

from flask import Response as FlaskResponse
from flask import current_app
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from stream_adapter import Response
from stream_adapter.integration import (
    ResponseKeywords,
    ResponseOptions,
    StreamingDecorator,
    checked_options,
    response_of_view,
    run_coroutine,
)

from ._compat import inner_generator
from ._refusals import answering_refusals
from ._response import respond

__all__ = ["split_result", "streaming", "to_response"]

P = ParamSpec("P")

_FLASKS_OWN = (WerkzeugResponse, HTTPException, tuple)  # a tuple inside a result is one that Flask refuses


class _Streaming(StreamingDecorator[ResponseReturnValue]):
    """Stream what a view yields or returns. It stands under the route decorator; above it, it does nothing.

    The view, sync or async, is a generator function or returns a generator, an iterable, a Response, or a tuple of one
    of them with a status, headers or both. Flask's own responses pass untouched. An async view runs on the loop of its
    generators, without Flask's `async` extra.

    Use it as `@streaming`, as `@streaming(**options)` with the options of Response, or by a format with the options of
    that format: `@streaming.sse(keepalive=5)`.
    """

    __slots__ = ()

    def _decorate(self, view: Callable[P, object], options: ResponseOptions) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def streaming_view(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            with answering_refusals:
                result: Any = view(*args, **kwargs)
                if inspect.iscoroutine(result):
                    result = run_coroutine(result)
            return to_response(result, view, options)

        return streaming_view


streaming = _Streaming()


def to_response(result: Any, view: object, options: ResponseOptions) -> ResponseReturnValue:
    """Make a response of what a view returned, and pull its first item: an error here is one of the view's.

    Args:
        result: what the view returned. Flask's own responses, and tuples that Flask refuses, pass untouched.
        view: the view, for errors.
        options: those of Response; a Response that the view made has only what it was not given filled in.

    Raises:
        SourceError: it cannot be streamed.
    """
    content, status, headers = split_result(result)
    if isinstance(content, _FLASKS_OWN):
        return cast("ResponseReturnValue", result)
    is_response = isinstance(content, Response)
    if isinstance(result, tuple) and not is_response:
        options = checked_options(**_given_options(status, headers)).filled_in(options)
    response = respond(
        response_of_view(content if is_response else inner_generator(content), view, options), starts=True
    )
    if isinstance(result, tuple):  # Flask knows the status by its phrase, and treats a Response as one of its own
        applied: Any = (response, status, headers if is_response else None)
        return current_app.make_response(applied)
    return response


def split_result(result: Any) -> tuple[Any, Any, Any]:
    """Take apart what a view returned: content, status and headers, as Flask does."""
    if not isinstance(result, tuple):
        return result, None, None
    parts = tuple(cast("Iterable[Any]", result))
    if len(parts) == 3:
        return parts
    if len(parts) == 2:
        is_headers = isinstance(parts[1], (Headers, dict, tuple, list))
        return (parts[0], None, parts[1]) if is_headers else (parts[0], parts[1], None)
    return cast("Any", result), None, None


def _given_options(status: Any, headers: Any) -> ResponseKeywords:
    """Return the options for the status and headers of a tuple, in each form that Flask takes."""
    options: ResponseKeywords = {}
    if status is not None:
        options["status_code"] = FlaskResponse(status=status).status_code
    if headers is not None:
        options["headers"] = list(Headers(headers))
    return options
