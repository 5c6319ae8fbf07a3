"""From what a view returns to Django's response: the step that the decorator, the routes and the middleware share."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar, Unpack, overload

from asgiref.sync import iscoroutinefunction
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from stream_adapter.integration import ResponseOptions, as_response, run_coroutine

from ._response import StreamResponse, stream_response
from ._threads import own_connections

__all__ = ["Convert", "adapt", "convert", "is_async", "streaming"]

T = TypeVar("T")
View = Callable[..., Any]
Convert = Callable[[Any], Any]


@overload
def streaming(view: View, /) -> View: ...
@overload
def streaming(**options: Unpack[ResponseOptions]) -> Callable[[View], View]: ...
def streaming(view: View | None = None, /, **options: Unpack[ResponseOptions]) -> Any:
    """Stream what a view yields or returns.

    The view, sync or async, is a generator function, or returns a generator, an iterable, a Response or whatever else a
    Response takes. Django's own responses pass untouched. It works as a decorator of functions and of methods.

    Args:
        view: the view.
        **options: those of Response.
    """
    as_response(None, **options)  # a bad option is an error where it is written

    def decorate(view: View) -> View:
        return adapt(view, functools.partial(convert, **options))

    return decorate if view is None else decorate(view)


def convert(result: Any, **options: Unpack[ResponseOptions]) -> Any:
    """Make a response of what a view returned. Django's own pass, and so does None, of which Django complains."""
    return result if result is None or isinstance(result, HttpResponseBase) else stream_response(result, **options)


def adapt(view: View, convert: Convert) -> View:
    """Wrap a view, so that what it returns goes through `convert` and knows its request."""

    def respond(result: Any, request: HttpRequest | None) -> Any:
        response = convert(result)
        if isinstance(response, StreamResponse):
            response.bind(request)
        return response

    async def finish(result: Coroutine[Any, Any, Any], request: HttpRequest | None) -> Any:
        under_wsgi = isinstance(request, WSGIRequest)
        return respond(await (_on_the_shared_loop(result) if under_wsgi else result), request)

    @functools.wraps(view)
    def sync_view(*args: Any, **kwargs: Any) -> Any:
        result, request = view(*args, **kwargs), _request_in(args)
        # the `dispatch` of a class with async methods is sync, and returns what Django awaits
        return finish(result, request) if inspect.iscoroutine(result) else respond(result, request)

    @functools.wraps(view)
    async def async_view(*args: Any, **kwargs: Any) -> Any:
        result = sync_view(*args, **kwargs)
        return await result if inspect.iscoroutine(result) else result

    awaited = is_async(view)
    if inspect.isasyncgenfunction(view):  # a method of that kind is to Django a sync one: method_decorator's partial
        awaited = not isinstance(view, functools.partial)
    return async_view if awaited else sync_view


def is_async(view: View) -> bool:
    """Say whether Django awaits it."""
    return iscoroutinefunction(view)  # pyright: ignore[reportDeprecated]  # inspect's, on 3.11, does not see its mark


def _request_in(args: tuple[Any, ...]) -> HttpRequest | None:
    """Return the request: the first argument, or, of a method, the second."""
    return next((argument for argument in args[:2] if isinstance(argument, HttpRequest)), None)


async def _on_the_shared_loop(view: Coroutine[Any, Any, T]) -> T:
    """Await a view on the loop of its generators, so that a client made in it is of their loop.

    Django runs an async view under WSGI on a loop that ends with the view; this is called there.
    """
    try:
        loop = run_coroutine(_running_loop())
    except RuntimeError:  # it is the running one: this view is adapted, and so is one around it
        return await view
    future = asyncio.run_coroutine_threadsafe(_with_context(view), loop)
    result, context = await asyncio.wrap_future(future)
    for variable, value in context.items():  # what the view has set, its generator sees
        if variable.get(None) is not value:
            variable.set(value)
    return result


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def _with_context(view: Coroutine[Any, Any, T]) -> tuple[T, Context]:
    async with own_connections():
        result = await view
    return result, copy_context()
