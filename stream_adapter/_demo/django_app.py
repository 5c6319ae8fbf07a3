"""The four generators in Django."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest
from django.urls import path

from stream_adapter import ServerSentEvent
from stream_adapter_django import streaming

from . import sources

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)


@streaming(media_type="text/plain")
def text(_: HttpRequest) -> AsyncIterator[str]:
    """Stream text, word by word."""
    return sources.words()


@streaming
def events(_: HttpRequest) -> AsyncIterator[ServerSentEvent]:
    """Stream server-sent events, for an EventSource."""
    return sources.ticks()


@streaming(media_type="text/csv", headers={"X-Total-Rows": str(sources.ROWS)})
def csv(_: HttpRequest) -> Iterator[str]:
    """Stream a table, row by row, and say beforehand how many there are."""
    return sources.rows()


@streaming(headers={"Content-Disposition": "attachment; filename=stream.bin", "Content-Length": str(sources.SIZE)})
def download(_: HttpRequest) -> Iterator[bytes]:
    """Stream a file; with its length, a browser shows how far it is."""
    return sources.blocks()


urlpatterns = [path("text", text), path("events", events), path("csv", csv), path("download", download)]

app = get_asgi_application()
