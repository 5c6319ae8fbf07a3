"""Django, under WSGI."""

from __future__ import annotations

import secrets

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

import stream_adapter as sa
from stream_adapter_django import streaming

from . import sources

sa.drain_on_signal()


@streaming
def stream(_: HttpRequest, name: str, way: str, options: str) -> sa.Response:
    return sources.make(name, way, options)


def hello(_: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


urlpatterns = [path("stream/<name>/<way>/<options>", stream), path("hello", hello)]

LOGGING = {  # Django reports errors of views by mail only, unless configured
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["console"]}},
}
settings.configure(ALLOWED_HOSTS=["*"], LOGGING=LOGGING, ROOT_URLCONF=__name__, SECRET_KEY=secrets.token_hex())
django.setup()
app = WSGIHandler()
