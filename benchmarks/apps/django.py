"""Django's own StreamingHttpResponse, and stream_adapter in Django: one site, because a process has one."""

from __future__ import annotations

import warnings
from typing import Any, cast

from django import setup
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from benchmarks.apps.lines import MEDIA_TYPE, lines, lines_async
from benchmarks.sources import source_for
from stream_adapter.types import ASGIApp, WSGIApp
from stream_adapter_django import streaming

__all__ = ["asgi", "wsgi"]


def _view(_: HttpRequest, path: str) -> HttpResponseBase:
    content = source_for(path)
    return HttpResponse(content) if isinstance(content, str) else StreamingHttpResponse(content)


def _lines(_: HttpRequest, path: str) -> HttpResponseBase:
    content = lines_async(path) if "async" in path else lines(path)
    return StreamingHttpResponse(content, content_type=MEDIA_TYPE)


@streaming
def _our_view(_: HttpRequest, path: str) -> object:
    return source_for(path)


urlpatterns = [
    path("django/<path:path>", _view),
    path("lines/<path:path>", _lines),
    path("adapted/<path:path>", _our_view),
]


def _configure() -> None:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="benchmark", MIDDLEWARE=[])  # noqa: S106
        setup()
    warnings.filterwarnings("ignore", "StreamingHttpResponse must consume")  # it is what is measured


def wsgi() -> WSGIApp:
    """Serve the site under WSGI."""
    _configure()
    app: WSGIApp = get_wsgi_application()
    return app


def asgi() -> ASGIApp:
    """Serve the site under ASGI."""
    _configure()
    app: Any = get_asgi_application()  # whose protocol types are its own
    return cast("ASGIApp", app)
