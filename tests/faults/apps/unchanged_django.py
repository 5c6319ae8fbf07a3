"""Django, with its own StreamingHttpResponse, under either protocol."""

from __future__ import annotations

import secrets
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from .lifespan import with_lifespan
from .mending import either_asgi, either_wsgi, source


def stream(_: HttpRequest, name: str, way: str, options: str) -> StreamingHttpResponse:
    body: Any = source(name, way)
    return StreamingHttpResponse(body)


def hello(_: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


urlpatterns = [path("stream/<name>/<way>/<options>", stream), path("hello", hello)]

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
)
django.setup()
_asgi: Any = ASGIHandler()  # django-stubs' names for the protocols' types are narrower
_wsgi: Any = WSGIHandler()
asgi = with_lifespan(either_asgi(_asgi))
wsgi = either_wsgi(_wsgi)
