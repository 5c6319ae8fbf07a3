"""Django, under ASGI."""

from __future__ import annotations

import secrets
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

import stream_adapter as sa
from stream_adapter_django import streaming

from . import sources
from .lifespan import with_lifespan


@streaming
async def stream(_: HttpRequest, name: str, way: str, options: str) -> sa.Response:
    return sources.make(name, way, options)


def hello(_: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


urlpatterns = [path("stream/<name>/<way>/<options>", stream), path("hello", hello)]

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY=secrets.token_hex())
django.setup()
_handler: Any = ASGIHandler()  # django-stubs' names for ASGI's types are narrower
app = with_lifespan(_handler)
