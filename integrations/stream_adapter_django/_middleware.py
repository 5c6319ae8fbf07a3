"""The app-wide adapter.

It does not look up or call a view: Django's handler calls an adapted one in its place. So all that Django does around a
view (CSRF, ATOMIC_REQUESTS, process_view, process_exception) it does around the adapted view, and what `resolve` and
`resolver_match` show is the view itself.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeAlias

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from stream_adapter.integration import is_stream

from ._compat import ask_for_views
from ._inner import explained
from ._requests import holding, serving
from ._response import check_defaults, stream_response
from ._views import View, adapt, is_async

__all__ = ["StreamAdapter"]

Adapt: TypeAlias = Callable[[View], View]

_waiting: ContextVar[Adapt | None] = ContextVar("stream_adapter_django.adapter", default=None)
"""Adapts the view of the present request; taken by Django's handler."""


class StreamAdapter:
    """Middleware that streams what any view yields, or returns as a generator, an iterator or a Response.

    A list, tuple, dict or text stays what it is to Django. The setting STREAM_ADAPTER holds defaults: a dict of the
    options of Response. It may stand anywhere in MIDDLEWARE.

    What a view of Django REST framework or django-ninja returns, and an admin action, is not seen here: write
    `@streaming` there.

    Raises:
        ImproperlyConfigured: STREAM_ADAPTER is not a dict of options.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        check_defaults()
        ask_for_views(_take_waiting)
        self._adapt: Adapt = functools.cache(_adapted)
        self._is_async = is_async(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Adapt the view of this request, and go on."""
        if self._is_async:
            return self._await_response(request)
        with serving(request), holding(_waiting, self._adapt):
            response: HttpResponseBase = self._get_response(request)
            return response

    async def _await_response(self, request: HttpRequest) -> HttpResponseBase:
        with serving(request), holding(_waiting, self._adapt):
            response: HttpResponseBase = await self._get_response(request)
            return response


def _take_waiting() -> Adapt | None:
    """Return what adapts the view that is about to be called; once: the view may send requests of its own."""
    adapt = _waiting.get()
    _waiting.set(None)
    return adapt


def _adapted(view: View) -> View:
    return adapt(explained(view), _convert)


def _convert(result: Any, request: Any) -> Any:
    return stream_response(result, request=request) if is_stream(result) else result
