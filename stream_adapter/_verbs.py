"""One verb a format. Each returns a Response, and takes every keyword that a Response takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from ._normalize import aiter_bytes, iter_bytes
from ._response import Response, ResponseOptions
from ._source import Kind, Source
from ._types import Source as SourceInput
from .formats import HTML, NDJSON, SSE, Text

__all__ = ["html", "ndjson", "sse", "text"]


def text(content: SourceInput, **options: Unpack[ResponseOptions]) -> Response:
    """Stream plain text, shown as it comes.

    Args:
        content: chunks of text, or whatever a Response takes.
        **options: those of Response.
    """
    options.setdefault("format", Text())
    return Response(content, **options)


def html(content: SourceInput, *, streaming: bool = True, **options: Unpack[ResponseOptions]) -> Response:
    """Stream HTML, rendered as it comes.

    Args:
        content: chunks of markup, or whatever a Response takes.
        streaming: False sends one body with a Content-Length: a sync source is read here and now, an async one before
            the status line goes out.
        **options: those of Response.
    """
    options.setdefault("format", HTML())
    response = Response(content, **options)
    if streaming:
        return response
    if Source(content).kind in {Kind.ASYNC, Kind.AWAITABLE}:
        return Response(_collect(aiter_bytes(content, strict=response.strict, charset=response.charset)), **options)
    return Response(b"".join(iter_bytes(content, strict=response.strict, charset=response.charset)), **options)


async def _collect(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


def ndjson(items: SourceInput, **options: Unpack[ResponseOptions]) -> Response:
    """Stream newline-delimited JSON: each item is one value on a line; text is quoted, None is null.

    Args:
        items: the values.
        **options: those of Response.
    """
    options.setdefault("format", NDJSON())
    return Response(items, **options)


def sse(
    events: SourceInput,
    *,
    keepalive: float | None = 15.0,
    retry: int | None = 2000,
    **options: Unpack[ResponseOptions],
) -> Response:
    """Stream server-sent events.

    Args:
        events: ServerSentEvent, text (raw data), or anything JSON.
        keepalive: seconds of silence after which a comment is sent; None for never.
        retry: milliseconds a client is told to wait before it reconnects; None says nothing.
        **options: those of Response.
    """
    options.setdefault("format", SSE(keepalive=keepalive, retry=retry))
    return Response(events, **options)
