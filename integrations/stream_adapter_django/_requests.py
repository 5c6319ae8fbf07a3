"""What a response knows of the request that it answers, and how it learns it.

From the best source to the least: `request=`, or the argument of a decorated view; the request that is being served,
as the adapter or the negotiation of REST framework has noted it; the environ or scope of `request_started`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from stream_adapter.integration import RequestHead

from ._compat import request_context, wrapped_request

__all__ = [
    "Answer",
    "RequestInfo",
    "current_request_info",
    "django_request",
    "find_request",
    "holding",
    "last_event_id",
    "note_request",
    "request_info",
    "serving",
]

T = TypeVar("T")

Answer: TypeAlias = Callable[[Exception], HttpResponseBase]
"""Makes a framework's own response of an exception, or raises it."""


@dataclass(slots=True)  # not frozen, which takes four times as long to make, for each request
class RequestInfo:
    """What is known of a request. It is not changed once it is made.

    Args:
        head: its method and headers.
        environ: its WSGI environ, which may show the client's connection; None under ASGI.
        is_asgi: True if it is served under ASGI; None if that is not known.
        answer: answers an exception as the framework does that called the view, if that is not Django itself.
    """

    head: RequestHead = RequestHead()  # noqa: RUF009  # which is not changed
    environ: dict[str, Any] | None = None
    is_asgi: bool | None = None
    answer: Answer | None = None


def django_request(value: object) -> HttpRequest | None:
    """Return the request that `value` is, or holds as the Request of Django REST framework does; None if neither."""
    if isinstance(value, HttpRequest):
        return value
    held = wrapped_request(value)
    return held if isinstance(held, HttpRequest) else None


def find_request(arguments: tuple[Any, ...]) -> Any:
    """Return the request among a view's arguments: the first, or, of a method, the second; None without one."""
    return next((argument for argument in arguments[:2] if django_request(argument) is not None), None)


def _head_of(request: HttpRequest) -> RequestHead:
    head = RequestHead.from_environ(request.META)
    if not isinstance(request, ASGIRequest):
        return head
    # META does not say HTTP/2; and the query string of Django's test client, which is in it, is text from Django 6 on
    of_scope = RequestHead.from_scope({**request.scope, "query_string": b""})
    head.client, head.is_http_1_0 = of_scope.client, of_scope.is_http_1_0
    return head


def request_info(request: object) -> RequestInfo:
    """Return what is known by a request, which may be that of Django REST framework.

    Raises:
        TypeError: it is not a request.
    """
    plain = django_request(request)
    if plain is None:
        raise TypeError(f"request: expected a request of Django, got {type(request).__name__}")
    return RequestInfo(
        head=_head_of(plain),
        environ=plain.environ if isinstance(plain, WSGIRequest) else None,
        is_asgi=True if isinstance(plain, ASGIRequest) else False if isinstance(plain, WSGIRequest) else None,
        answer=None if plain is request else _answer_of(request),
    )


def _answer_of(request: Any) -> Answer | None:
    """Return how a view of Django REST framework answers an exception: its handler's response, finished as any."""
    context: Mapping[str, Any] = getattr(request, "parser_context", None) or {}
    view: Any = context.get("view")
    if not hasattr(view, "handle_exception") or not hasattr(view, "finalize_response"):
        return None

    def answer(error: Exception) -> HttpResponseBase:
        response = view.handle_exception(error)
        finished: HttpResponseBase = view.finalize_response(view.request, response, *view.args, **view.kwargs)
        return finished

    return answer


_request: ContextVar[Any] = ContextVar("stream_adapter_django.request", default=None)
_environ: ContextVar[Announced | None] = ContextVar("stream_adapter_django.environ", default=None)
_scopes: WeakKeyDictionary[ThreadSensitiveContext, Announced] = WeakKeyDictionary()
_count = itertools.count()


@dataclass(slots=True)
class Announced:
    """The environ or scope that `request_started` brought, and when: a context may have one of an earlier request."""

    brought: dict[str, Any]
    is_asgi: bool
    number: int = field(default_factory=partial(next, _count))


@contextmanager
def holding(variable: ContextVar[T], value: T) -> Generator[None]:
    """Set a variable for what runs inside.

    Its former value is set again, not reset by a token: asgiref carries the context between threads, and with it the
    changes of it.
    """
    before = variable.get()
    variable.set(value)
    try:
        yield
    finally:
        variable.set(before)


def serving(request: Any) -> AbstractContextManager[None]:
    """Give this request to the responses that are made inside."""
    return holding(_request, request)


def note_request(request: Any) -> None:
    """Give it to the responses that are made from here on, until it is finished, if Django has announced its start.

    A request from a factory has neither start nor end, and would still be known to whatever comes next.
    """
    plain, announced = django_request(request), _announced()
    if announced is not None and announced.brought is getattr(plain, "scope", getattr(plain, "environ", None)):
        _request.set(request)


def current_request_info() -> RequestInfo:
    """Return what is known of the request that is being served."""
    request = _request.get()
    if request is not None:
        return request_info(request)
    announced = _announced()
    if announced is None:
        return RequestInfo()
    brought = announced.brought
    if announced.is_asgi:
        return RequestInfo(RequestHead.from_scope(brought), is_asgi=True)
    return RequestInfo(RequestHead.from_environ(brought), brought, is_asgi=False)


def _announced() -> Announced | None:
    """Return what was announced last."""
    context = request_context()
    found = [each for each in (_environ.get(), None if context is None else _scopes.get(context)) if each]
    return max(found, key=lambda announced: announced.number, default=None)


def _note_start(*, environ: dict[str, Any] | None = None, scope: dict[str, Any] | None = None, **_: object) -> None:
    """Note what `request_started` brings.

    Under ASGI it is sent in a context of its own, and only asgiref's object for the request is the same in the view.
    """
    context = request_context()
    if scope is not None and context is not None:
        _scopes[context] = Announced(scope, is_asgi=True)
    elif environ is not None:
        _request.set(None)
        _environ.set(Announced(environ, is_asgi=False))


def _note_end(**_: object) -> None:
    """Forget the request: the server's thread, and its context, serve the next one."""
    _request.set(None)
    _environ.set(None)


request_started.connect(_note_start)
request_finished.connect(_note_end)


def last_event_id(request: object) -> str | None:
    """Return the id of the last event that the client of a request has seen; None if it has seen none.

    It is that of the Last-Event-ID header, or else of the query parameter `last_event_id` (WHATWG HTML, 9.2.4).

    Args:
        request: Django's, or that of Django REST framework.
    """
    return request_info(request).head.last_event_id
