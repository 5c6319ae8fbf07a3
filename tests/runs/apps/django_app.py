from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Generator
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, re_path
from django.utils import timezone, translation

import stream_adapter as sa
from stream_adapter_django import stream_response
from tests.runs.apps import live, respond, run_of


def get(request: HttpRequest) -> HttpResponseBase:
    return stream_response(respond(request.path, request.GET.dict()))


def ask(requests_own: Any) -> dict[str, bool]:
    """Ask the database, by the connection of this thread."""
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"is_the_request_s": connection is requests_own}


def answer_sync(requests_own: Any) -> Generator[Any]:
    for _ in range(3):
        yield ask(requests_own)


async def answer(requests_own: Any) -> AsyncGenerator[Any]:
    for _ in range(3):
        yield await sync_to_async(ask)(requests_own)


def get_database(_: HttpRequest, kind: str) -> HttpResponseBase:
    connection = connections["default"]
    connection.ensure_connection()
    factory = answer_sync if kind == "sync" else answer
    return stream_response(sa.sse(live.run(f"database-{kind}", factory, connection)))


def spoken() -> list[str]:
    """Return the language and the time zone that are active."""
    return [str(translation.get_language()), timezone.get_current_timezone_name()]


def speak() -> Generator[Any]:
    yield spoken()


async def aspeak() -> AsyncGenerator[Any]:
    yield spoken()
    yield await sync_to_async(spoken)()
    yield spoken()


def get_language(_: HttpRequest, kind: str) -> HttpResponseBase:
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    return stream_response(sa.sse(live.run(f"language-{kind}", speak if kind == "sync" else aspeak)))


async def start(request: HttpRequest, key: str) -> HttpResponse:
    return HttpResponse((await run_of(key, request.GET.dict()).astart()).id)


async def start_database(_: HttpRequest, key: str) -> HttpResponse:
    connection = await sync_to_async(lambda: connections["default"])()
    return HttpResponse((await live.run(key, answer, connection).astart()).id)


urlpatterns = [
    path("database/<kind>", get_database),
    path("language/<kind>", get_language),
    path("start/<key>", start),
    path("start-database/<key>", start_database),
    re_path("", get),
]

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    LOGGING_CONFIG=None,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

wsgi, asgi = WSGIHandler(), ASGIHandler()
