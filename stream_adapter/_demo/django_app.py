"""The demo's views in Django."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import path

from stream_adapter import ServerSentEvent, sse
from stream_adapter_django import stream_response, streaming

from . import broker, sources

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)


def answer(request: HttpRequest) -> HttpResponseBase:
    """Start the answer, or join it; 204 if there is nothing to send."""
    if request.method == "POST":
        return JsonResponse({"run": broker.ask()})
    response = broker.follow()
    return stream_response(response) if response else HttpResponse(status=204)


def stop(_: HttpRequest, run: str) -> HttpResponseBase:
    """Stop it."""
    return JsonResponse({"stopped": broker.stop(run)})


@streaming.sse()
def failing(_: HttpRequest) -> AsyncIterator[str]:
    """Stream an answer that fails."""
    return sources.failing()


@streaming.ndjson()
def leaving(_: HttpRequest, visit: str) -> AsyncIterator[int]:
    """Stream numbers to a client that leaves."""
    return broker.leaving(visit)


def news(_: HttpRequest) -> HttpResponseBase:
    """Subscribe; a client that comes back goes on after its last event."""
    return stream_response(sse(broker.live.subscribe("news")))


@streaming(media_type="text/plain")
def text(_: HttpRequest) -> AsyncIterator[str]:
    """Stream text, word by word."""
    return sources.words()


@streaming
def events(_: HttpRequest) -> AsyncIterator[ServerSentEvent]:
    """Stream server-sent events, for an EventSource."""
    return sources.ticks()


@streaming(media_type="text/csv", headers=sources.TOTAL)
def csv(_: HttpRequest) -> Iterator[str]:
    """Stream a table, row by row, and say beforehand how many there are."""
    return sources.rows()


@streaming(headers=sources.ATTACHMENT)
def download(_: HttpRequest) -> Iterator[bytes]:
    """Stream a file; with its length, a browser shows how far it is."""
    return sources.blocks()


urlpatterns = [
    path("answer", answer),
    path("answer/<run>/stop", stop),
    path("failing", failing),
    path("leaving/<visit>", leaving),
    path("news", news),
    path("text", text),
    path("events", events),
    path("csv", csv),
    path("download", download),
]

app = get_asgi_application()
