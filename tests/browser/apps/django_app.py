"""The streams in Django, under WSGI and under ASGI."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, cast

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.types import ASGIApp
from stream_adapter_django import last_event_id, streaming
from tests.browser.apps import streams


async def page(_: HttpRequest) -> HttpResponse:
    return HttpResponse(streams.PAGE)


@streaming
async def stream(request: HttpRequest, kind: str, way: str, key: str) -> sa.Response:
    return streams.stream(kind, way, key, last_event_id(request))


async def unadapted(_: HttpRequest, key: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(streams.events("async", key), content_type="text/event-stream")


@streaming
async def file(_: HttpRequest, name: str) -> sa.Response:
    return streams.file(name)


async def tell(_: HttpRequest, key: str, command: str) -> HttpResponse:
    streams.tell(key, command)
    return HttpResponse()


async def asked(_: HttpRequest, key: str) -> JsonResponse:
    return JsonResponse(streams.asked(key), safe=False)


async def closed(_: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse(await asyncio.to_thread(streams.wait_closed, key))


urlpatterns: list[Any] = [
    path("", page),
    path("stream/<kind>/<way>/<key>", stream),
    path("unadapted/<key>", unadapted),
    path("file/<name>", file),
    path("tell/<key>/<command>", tell),
    path("asked/<key>", asked),
    path("closed/<key>", closed),
]

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY=secrets.token_hex())
django.setup()
wsgi = WSGIHandler()
asgi = cast("ASGIApp", ASGIHandler())  # its stubs ask for a scope that is a dict
compressed = StreamAdapterMiddleware(asgi, compress=True)
