"""One verb a format. Each returns a Response, and takes every keyword that a Response takes."""

from __future__ import annotations

from typing import Unpack

from ._response import Response, ResponseOptions
from ._types import Source
from .formats import HTML, NDJSON, SSE, Text

__all__ = ["html", "ndjson", "sse", "text"]


def text(content: Source, **options: Unpack[ResponseOptions]) -> Response:
    """Stream plain text, shown as it comes.

    Args:
        content: chunks of text, or whatever a Response takes.
        **options: those of Response.
    """
    options.setdefault("format", Text())
    return Response(content, **options)


def html(content: Source, *, streaming: bool = True, **options: Unpack[ResponseOptions]) -> Response:
    """Stream HTML, rendered as it comes.

    Args:
        content: chunks of markup, or whatever a Response takes.
        streaming: False collects a sync source first, and sends one body with a Content-Length.
        **options: those of Response.
    """
    options.setdefault("format", HTML())
    return Response(content, **options)


def ndjson(items: Source, **options: Unpack[ResponseOptions]) -> Response:
    """Stream newline-delimited JSON: each item is one value on a line; text is quoted, None is null.

    Args:
        items: the values.
        **options: those of Response.
    """
    options.setdefault("format", NDJSON())
    return Response(items, **options)


def sse(
    events: Source,
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
