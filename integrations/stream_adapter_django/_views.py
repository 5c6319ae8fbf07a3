"""From what a view returns to Django's response: the step that the decorator, the routes and the middleware share."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.handlers.wsgi import WSGIRequest
from django.http.response import HttpResponseBase

from stream_adapter.integration import (
    RefusalError,
    ResponseOptions,
    StreamingDecorator,
    copy_variables,
    is_stream,
    response_of_view,
    run_coroutine,
)

from ._inner import awaits_methods, serialized
from ._ninja import join_operation, running_operation
from ._requests import django_request, find_request
from ._response import StreamResponse, answer_of, response_to_refusal
from ._threads import Lent, in_transactions, own_connections, roll_back_request

__all__ = ["Convert", "adapt", "is_async", "streaming"]

P = ParamSpec("P")
T = TypeVar("T")
View = Callable[..., Any]
Convert = Callable[[Any, Any], Any]
"""Makes a response of what a view returned, and the request if it is known."""


class _Streaming(StreamingDecorator[Any]):
    """Stream what a view yields or returns.

    The view, sync or async, is a generator function, or returns a generator, an iterable, a Response or anything else
    that a Response takes. Django's own responses pass untouched. It works as a decorator of functions and of methods,
    of views of Django REST framework and of operations of django-ninja, and of admin actions.

    Use it as `@streaming`, as `@streaming(**options)` with the options of Response, or by a format with the options of
    that format: `@streaming.sse(keepalive=5)`.
    """

    __slots__ = ()

    def _decorate(self, view: Callable[P, object], options: ResponseOptions) -> Callable[P, Any]:
        adapted = adapt(view, functools.partial(_converted, view=view, options=options))
        join_operation(adapted)
        return adapted


streaming = _Streaming()


def _converted(result: Any, request: Any, *, view: View, options: ResponseOptions) -> Any:
    """Make a response of what a view returned. Django's own pass, and so does None: Django's error names the view."""
    if result is None or isinstance(result, HttpResponseBase):
        return result
    content = result if is_stream(result) else serialized(result)
    operation = running_operation.get()
    if operation is not None:
        content, options = operation.hold_to_schema(content, options)
    return answer_of(response_of_view(content, view, options), request)


def adapt(view: View, convert: Convert) -> View:
    """Wrap a view, so that what it returns goes through `convert` and knows its request.

    To call the wrapper is what it was to call the view: a coroutine function is awaited, and all else is not. A refusal
    that the view raises is answered as one of its stream is, before the first item.
    """

    def respond(result: Any, request: Any) -> Any:
        response = convert(result, request)
        if isinstance(response, StreamResponse):
            response.bind(request)
        return response

    async def finish(coroutine: Coroutine[Any, Any, Any], request: Any) -> Any:
        under_wsgi = isinstance(django_request(request), WSGIRequest)
        try:
            result = await (_on_the_shared_loop(coroutine) if under_wsgi else coroutine)
        except RefusalError as error:
            return response_to_refusal(error)
        return respond(result, request)

    @functools.wraps(view)
    def sync_view(*args: Any, **kwargs: Any) -> Any:
        request = find_request(args)
        try:
            result = view(*args, **kwargs)
        except RefusalError as error:
            roll_back_request()
            return response_to_refusal(error)
        # the `dispatch` of a class with async methods is sync, and returns what Django awaits
        return finish(result, request) if inspect.iscoroutine(result) else respond(result, request)

    @functools.wraps(view)
    async def async_view(*args: Any, **kwargs: Any) -> Any:
        result = sync_view(*args, **kwargs)
        return await result if inspect.iscoroutine(result) else result

    for adapted in (sync_view, async_view):
        _keep_signature(view, adapted)
    if inspect.isasyncgenfunction(view) and type(view) is not functools.partial:  # method_decorator's, of a method
        return _Method(sync_view, async_view) if _is_method(view) else markcoroutinefunction(sync_view)
    return async_view if is_async(view) else sync_view


class _Method:
    """An async generator function, adapted, in the body of a class, until the class is made.

    Its call needs no await, so it is a sync method, except for the views of Django and adrf. These await it: a sync
    method has a thread under ASGI, and would have it as long as the stream lasts.
    """

    def __init__(self, sync_method: View, async_method: View) -> None:
        functools.update_wrapper(self, sync_method)
        self._methods = (sync_method, async_method)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._methods[0](*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __set_name__(self, owner: type, name: str) -> None:
        method = self._methods[awaits_methods(owner)]
        method.__dict__ |= {key: value for key, value in vars(self).items() if key != "_methods"}  # of decorators above
        setattr(owner, name, method)


def _is_method(view: View) -> bool:
    """Return True if a function was written in the body of a class."""
    outer = getattr(view, "__qualname__", "").rpartition(".")[0]
    return bool(outer) and not outer.endswith("<locals>")


def is_async(view: View) -> bool:
    """Return True if Django awaits it."""
    return iscoroutinefunction(view)  # pyright: ignore[reportDeprecated]  # inspect's, on 3.11, does not see its mark


async def _on_the_shared_loop(view: Coroutine[Any, Any, T]) -> T:
    """Await a view on the loop of its generators, so that a client made in it is of their loop.

    Django runs an async view under WSGI on a loop that ends with the view; this is called there.
    """
    try:
        loop = run_coroutine(_running_loop())
    except RuntimeError:  # it is the running one: this view is adapted, and so is one around it
        return await view
    lent = await sync_to_async(in_transactions, thread_sensitive=True)()
    future = asyncio.run_coroutine_threadsafe(_with_context(view, lent), loop)
    result, context = await asyncio.wrap_future(future)
    copy_variables(context)  # what the view has set, its generator sees
    return result


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def _with_context(view: Coroutine[Any, Any, T], lent: Lent) -> tuple[T, Context]:
    async with own_connections(lent):
        result = await view
    return result, copy_context()


def _keep_signature(view: Callable[..., Any], adapted: Any) -> None:
    """Give `adapted` the signature of `view`, its annotations no longer text.

    django-ninja reads it to parse a request. It would evaluate the annotations of a wrapper among the names of this
    module. Here they are evaluated among those of the view's module. What is not defined there stays text.
    """
    names = getattr(inspect.unwrap(view), "__globals__", None)
    if names is None or not any(isinstance(value, str) for value in getattr(view, "__annotations__", {}).values()):
        return
    signature = inspect.signature(view)
    parameters = [
        parameter.replace(annotation=_evaluated(parameter.annotation, names))
        for parameter in signature.parameters.values()
    ]
    adapted.__signature__ = signature.replace(
        parameters=parameters, return_annotation=_evaluated(signature.return_annotation, names)
    )


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # noqa: S307  # the source of the view, as `inspect.signature(eval_str=True)`
    except Exception:  # noqa: BLE001  # a name that only type checkers see, or one that is defined later
        return annotation
