"""The app-wide adapter.

It looks up no view and calls none: it has the URL resolver hand out adapted ones. So all that Django does around a view
(CSRF, ATOMIC_REQUESTS, process_view, process_exception) it does around these, and `reverse` still finds the views.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, URLResolver, get_resolver

from stream_adapter.integration import is_stream

from ._defaults import check_defaults
from ._response import stream_response
from ._views import adapt, is_async

__all__ = ["StreamAdapter"]


class StreamAdapter:
    """Middleware that streams what any view yields, or returns as a generator, an iterator or a Response.

    A list, tuple, dict or text stays what it is to Django. The setting STREAM_ADAPTER holds defaults: a dict of the
    options of Response. A middleware that sets `request.urlconf` stands before this one.

    Raises:
        ImproperlyConfigured: STREAM_ADAPTER is no dict of options.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        check_defaults()
        self._adapt = functools.cache(functools.partial(adapt, convert=_convert))
        if is_async(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Adapt the views of the request's URLconf, and go on."""
        resolver = get_resolver(getattr(request, "urlconf", None))
        # Django keeps a resolver for each URLconf. Set anew, for there may be more than one of us (a test's)
        resolver.resolve = functools.partial(self._resolve, resolver)  # type: ignore[method-assign]  # of this one only
        response: HttpResponseBase | Awaitable[HttpResponseBase] = self._get_response(request)
        return response

    def _resolve(self, resolver: URLResolver, path: str) -> ResolverMatch:
        match = type(resolver).resolve(resolver, path)
        match.func = self._adapt(match.func)
        return match


def _convert(result: Any) -> Any:
    return stream_response(result) if is_stream(result) else result
