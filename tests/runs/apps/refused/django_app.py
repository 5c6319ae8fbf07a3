from __future__ import annotations

import os
import secrets
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path

from stream_adapter_django import streaming
from tests.runs.apps.refused import ASYNC_WAYS, WAYS

ADAPTER = ["stream_adapter_django.StreamAdapter"] if os.environ.get("ADAPTER") else []


def plain(_: HttpRequest, way: str) -> Any:
    return WAYS[way]()


async def plain_async(_: HttpRequest, way: str) -> Any:
    return await ASYNC_WAYS[way]()


@streaming
def decorated(_: HttpRequest, way: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO notes VALUES (1)")
    return WAYS[way]()


@streaming
async def decorated_async(_: HttpRequest, way: str) -> Any:
    return await ASYNC_WAYS[way]()


def notes(_: HttpRequest) -> HttpResponseBase:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notes")
        return HttpResponse(cursor.fetchone()[0])


urlpatterns = [
    path("plain/<way>", plain),
    path("decorated/<way>", decorated),
    path("notes", notes),
]
if not os.environ.get("ATOMIC"):
    urlpatterns += [path("plain_async/<way>", plain_async), path("decorated_async/<way>", decorated_async)]

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    LOGGING_CONFIG=None,
    MIDDLEWARE=ADAPTER,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["DATABASE"],
            "ATOMIC_REQUESTS": bool(os.environ.get("ATOMIC")),
        }
    },
)
django.setup()

wsgi, asgi = WSGIHandler(), ASGIHandler()
