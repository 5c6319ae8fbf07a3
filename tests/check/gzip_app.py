"""Event streams behind a middleware that compresses as Django's GZipMiddleware did before Django 6.

Under ASGI each chunk is a separate gzip member, and browsers read the first one only; under WSGI chunks are held back.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    MIDDLEWARE=[f"{__name__}.GZipMiddleware"],
)


class GZipMiddleware(MiddlewareMixin):
    """Compress what says nothing of its coding."""

    def process_response(self, request: HttpRequest, response: StreamingHttpResponse) -> StreamingHttpResponse:
        """Replace the content."""
        if response.has_header("Content-Encoding") or "gzip" not in request.headers.get("Accept-Encoding", ""):
            return response
        content: Any = response.streaming_content
        response.streaming_content = _members(content) if response.is_async else _held(content)
        response.headers["Content-Encoding"] = "gzip"
        return response


async def _members(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield gzip.compress(chunk)


def _held(chunks: Iterator[bytes]) -> Iterator[bytes]:
    encoder = zlib.compressobj(wbits=31)
    for chunk in chunks:
        yield encoder.compress(chunk)  # most often nothing, but for the head of the member
    yield encoder.flush()


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
