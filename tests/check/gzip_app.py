"""Event streams behind Django's GZipMiddleware, which compresses each chunk by itself (ASGI) or holds them (WSGI)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],
)


def _numbers() -> Iterator[str]:
    for number in itertools.count():
        yield f"id: {number}\ndata: {number}\n\n"
        time.sleep(0.1)


async def _anumbers() -> AsyncIterator[str]:
    for number in itertools.count():
        yield f"id: {number}\ndata: {number}\n\n"
        await asyncio.sleep(0.1)


def _response(request: HttpRequest, headers: dict[str, str]) -> StreamingHttpResponse:
    numbers = _anumbers() if isinstance(request, ASGIRequest) else _numbers()
    return StreamingHttpResponse(numbers, content_type="text/event-stream", headers=headers)


def events(request: HttpRequest) -> StreamingHttpResponse:
    """Be compressed as everything is, without the integration, which sees to that."""
    return _response(request, {})


def left_out(request: HttpRequest) -> StreamingHttpResponse:
    """Be left out, as the check advises."""
    return _response(request, {"Content-Encoding": "identity"})


urlpatterns = [path("events", events), path("left-out", left_out)]
wsgi, asgi = get_wsgi_application(), get_asgi_application()
