"""Django, under WSGI and under ASGI, in one file."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import Callable
from typing import Any

import django
from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

import stream_adapter as sa
from stream_adapter_django import stream_response, streaming
from tests.contract import cases


class Middleware:
    """Sets a variable, in the form that the handler wants."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        if inspect.iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        cases.set_by_middleware.set("middleware")
        return self._get_response(request)


@streaming
def sync_view(_: HttpRequest, case: str, way: str, key: str) -> sa.Response:
    return cases.make(case, way, key)


@streaming
async def async_view(_: HttpRequest, case: str, way: str, key: str) -> sa.Response:
    return cases.make(case, way, key)


def sync_unsent(_: HttpRequest, how: str, way: str, key: str) -> HttpResponse:
    stream_response(cases.make("gated", way, key))
    return HttpResponse(cases.instead_of_stream(how))


async def async_unsent(_: HttpRequest, how: str, way: str, key: str) -> HttpResponse:
    stream_response(cases.make("gated", way, key))
    return HttpResponse(cases.instead_of_stream(how))


async def control(_: HttpRequest, action: str, key: str) -> HttpResponse:
    return HttpResponse(await asyncio.to_thread(cases.control, action, key))


urlpatterns = [
    path("sync/<case>/<way>/<key>", sync_view),
    path("async/<case>/<way>/<key>", async_view),
    path("unsent/sync/<how>/<way>/<key>", sync_unsent),
    path("unsent/async/<how>/<way>/<key>", async_unsent),
    path("control/<action>/<key>", control),
]

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[f"{__name__}.Middleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
)
django.setup()
wsgi = WSGIHandler()
asgi = ASGIHandler()
