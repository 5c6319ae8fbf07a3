"""`@streaming`, and how a view is wrapped, so that FastAPI and Starlette read and call the wrapper as the view.

FastAPI looks through `__wrapped__`, and would take a generator function below for an endpoint of its own: the wrapper
has none. What FastAPI reads, it finds in `__signature__`, with the annotations resolved where they were written.
Everything but the result is the view's own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from typing import Any, ParamSpec, TypeAlias, get_origin

from starlette.requests import Request
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter.integration import ResponseOptions, StreamingDecorator, response_of_view

from ._compat import get_typed_return_annotation, get_typed_signature
from ._marks import mark
from ._openapi import DocumentedResponse, annotation_of, document_response
from ._stream import Injected, Streamer

__all__ = ["PARAMETER", "is_generator_function", "streaming", "wrap"]

P = ParamSpec("P")

Convert: TypeAlias = Callable[[Streamer, Any], Any]

PARAMETER = "stream_adapter_stream"  # what FastAPI passes the wrapper its Streamer as; views have no such parameter
_NOT_A_MODEL = (Iterator, AsyncIterable, AsyncIterator, AsyncGenerator)  # Pydantic has a schema for other iterables


class _Streaming(StreamingDecorator[Any]):
    """Stream what a view yields or returns. It stands under the route decorator; above it does nothing.

    The view, sync or async, is a generator function, or one that returns something to stream, a Response, or a response
    of Starlette's, which is passed through.

    Use it as `@streaming`, as `@streaming(**options)` with the options of Response, or by a format with the options of
    that format: `@streaming.sse(keepalive=5)`.
    """

    __slots__ = ()

    def _decorate(self, view: Callable[P, object], options: ResponseOptions) -> Callable[P, Any]:
        def convert(stream: Streamer, result: Any) -> Any:
            if isinstance(result, Response):
                return stream.with_request(result)
            return stream(response_of_view(result, view, options))

        documented = document_response(sa.Response(**options), get_typed_return_annotation(view))
        return wrap(view, convert, described=documented)


streaming = _Streaming()


def wrap(
    view: Callable[..., Any], convert: Convert, *, described: type[DocumentedResponse] | None = None
) -> Callable[..., Any]:
    """Return a view that does what `view` does, and converts its result.

    Args:
        view: a function, sync or async, or a generator function, or another callable.
        convert: given what makes streams for this request, and the result.
        described: the response class for the route's documentation; None leaves the route's own.
    """

    async def on_the_loop(*args: Any, **kwargs: Any) -> Any:
        stream = _streamer(args, kwargs)
        with stream.answering_refusals():
            result = view(*args, **kwargs)
            if inspect.isawaitable(result):
                result = await result
        return convert(stream, result)

    def in_a_thread(*args: Any, **kwargs: Any) -> Any:
        stream = _streamer(args, kwargs)
        with stream.answering_refusals():
            result = view(*args, **kwargs)
        return convert(stream, result)

    quick = is_generator_function(view)  # calling it needs no thread
    wrapper: Callable[..., Any] = on_the_loop if quick or _is_async(view) else in_a_thread
    functools.update_wrapper(wrapper, view)
    wrapper.__name__ = getattr(view, "__name__", type(view).__name__)
    documented, returned = described, get_typed_return_annotation(view)
    if documented is None and (get_origin(returned) or returned) in _NOT_A_MODEL:
        # it returns a stream, or FastAPI would take it for a list of items
        documented = document_response(sa.Response(), returned)
    signature = _signature(view, documented)
    annotated = [given for given in signature.parameters.values() if given.annotation is not given.empty]
    wrapper.__annotations__ = {given.name: given.annotation for given in annotated}
    vars(wrapper)["__signature__"] = signature
    mark(wrapper, view, documented=documented, streaming=described)
    del vars(wrapper)["__wrapped__"]
    return wrapper


def _streamer(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Streamer:
    """Return what FastAPI injected; Starlette gives its views a request instead."""
    injected: Streamer | None = kwargs.pop(PARAMETER, None)
    requests: list[Any] = [arg for arg in args if isinstance(arg, Request)]
    return injected or Streamer(requests[0] if requests else None)


def _signature(view: Callable[..., Any], described: type[DocumentedResponse] | None) -> inspect.Signature:
    parameters = [*get_typed_signature(view).parameters.values()]
    at = len(parameters) - any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    parameters.insert(at, inspect.Parameter(PARAMETER, inspect.Parameter.KEYWORD_ONLY, annotation=Injected))
    returned = get_typed_return_annotation(view)
    if described is not None:
        returned = annotation_of(described)
    elif isinstance(returned, type) and issubclass(returned, sa.Response):
        returned = Response  # which FastAPI does not take for a model
    return inspect.Signature(parameters, return_annotation=inspect.Signature.empty if returned is None else returned)


def _functions(view: Any) -> list[Any]:
    """Return the functions that FastAPI looks at to find what kind of view this is."""
    while isinstance(view, functools.partial):
        view = view.func
    return [found if inspect.isroutine(found) else type(found).__call__ for found in (view, inspect.unwrap(view))]


def _is_async(view: Callable[..., Any]) -> bool:
    return any(map(inspect.iscoroutinefunction, _functions(view)))


def is_generator_function(view: Callable[..., Any]) -> bool:
    """Return True for a generator function, sync or async: FastAPI streams it in its own way."""
    return any(inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found) for found in _functions(view))
