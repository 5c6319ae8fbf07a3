"""Shortcuts, one per format. Each returns a Response, and takes the keywords that a Response takes."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable
from typing import Any, Literal, Unpack

from ._iter_bytes import AsyncBytes, aiter_bytes, iter_bytes
from ._keywords import ResponseKeywords, shows_options
from ._response import Response, make_response
from ._source import Kind, Source
from .formats import CSV, HTML, NDJSON, SSE, Format, JSONArray, JSONSeq, Text
from .formats._profiles import PROFILES, Profile
from .formats.csv import Dialect, Extras
from .types import JSONDumps
from .types import Source as SourceInput

__all__ = ["csv", "html", "json_array", "json_seq", "ndjson", "sse", "text"]


def _response(content: SourceInput, format: Format, options: ResponseKeywords) -> Response:
    """Return a response in a format, unless the options name another."""
    options.setdefault("format", format)
    return Response(content, **options) if "description" in options else make_response(content, options)


@shows_options()
def text(content: SourceInput, **options: Unpack[ResponseKeywords]) -> Response:
    """Stream plain text, shown as it comes.

    Args:
        content: chunks of text, or whatever a Response takes.
        **options: those of Response.
    """
    return _response(content, Text(), options)


@shows_options()
def html(content: SourceInput, *, streaming: bool = True, **options: Unpack[ResponseKeywords]) -> Response:
    """Stream HTML, rendered as it comes.

    Args:
        content: chunks of markup, or whatever a Response takes.
        streaming: False sends one body with a Content-Length: a sync source is read here and now, an async one before
            the status line goes out.
        **options: those of Response.
    """
    response = _response(content, HTML(), options)
    if streaming:
        return response
    if Source(content).kind in {Kind.ASYNC, Kind.AWAITABLE}:
        return Response(_Joined(aiter_bytes(content, strict=response.strict, charset=response.charset)), **options)
    return Response(b"".join(iter_bytes(content, strict=response.strict, charset=response.charset)), **options)


class _Joined(Awaitable[bytes]):
    """One body of all parts, awaited when it is served, and closed if it is not: a HEAD request asks for none of it."""

    def __init__(self, parts: AsyncBytes) -> None:
        self._parts = parts

    def __await__(self) -> Generator[Any, Any, bytes]:
        return self._join().__await__()

    async def _join(self) -> bytes:
        return b"".join([part async for part in self._parts])

    async def aclose(self) -> None:
        await self._parts.aclose()


@shows_options()
def ndjson(items: SourceInput, *, json_dumps: JSONDumps | None = None, **options: Unpack[ResponseKeywords]) -> Response:
    """Stream newline-delimited JSON: each item is one value on a line; text is quoted, None is null.

    After an error a last line is `{"error": {…}}`, with a generic problem, and the connection breaks.

    Args:
        items: the values.
        json_dumps: encodes an item in place of the library's own encoder, as one line of text or UTF-8.
        **options: those of Response.
    """
    return _response(items, NDJSON(json_dumps), options)


@shows_options()
def json_array(
    items: SourceInput, *, json_dumps: JSONDumps | None = None, **options: Unpack[ResponseKeywords]
) -> Response:
    """Stream one JSON array, in blocks: each item is an element; it is closed only if all of them are in it.

    Args:
        items: the elements; text is quoted, None is null.
        json_dumps: encodes an item in place of the library's own encoder, as text or UTF-8.
        **options: those of Response.
    """
    return _response(items, JSONArray(json_dumps), options)


@shows_options()
def json_seq(
    items: SourceInput, *, json_dumps: JSONDumps | None = None, **options: Unpack[ResponseKeywords]
) -> Response:
    """Stream a JSON text sequence (RFC 7464): each item is one value after a record separator.

    After an error the last element is one that is cut short, which no parser takes for a value, and the connection
    breaks.

    Args:
        items: the values; text is quoted, None is null.
        json_dumps: encodes an item in place of the library's own encoder, as text or UTF-8.
        **options: those of Response.
    """
    return _response(items, JSONSeq(json_dumps), options)


@shows_options()
def csv(
    rows: SourceInput,
    header: Iterable[object] | Literal[False] | None = None,
    *,
    dialect: Dialect = "excel",
    bom: bool = False,
    filename: str | None = None,
    escape_formulas: bool = False,
    extras: Extras = "raise",
    **options: Unpack[ResponseKeywords],
) -> Response:
    """Stream comma-separated values (RFC 4180), in blocks.

    Args:
        rows: sequences, mappings, dataclasses, named tuples or models.
        header: the columns, in their order; None takes them from the first row, if that names them; False takes them,
            and sends no header line.
        dialect: the name of a dialect of the `csv` module, or one of your own.
        bom: whether to begin with a byte order mark, which tells Excel that the text is UTF-8.
        filename: the name under which a browser saves it.
        escape_formulas: whether to put an apostrophe before text that a spreadsheet would run as a formula.
        extras: for a row with other columns than the first: "raise" an error, or "ignore" additional columns and leave
            missing ones empty.
        **options: those of Response.
    """
    csv_format = CSV(
        header, dialect=dialect, bom=bom, filename=filename, escape_formulas=escape_formulas, extras=extras
    )
    return _response(rows, csv_format, options)


@shows_options()
def sse(
    events: SourceInput,
    *,
    keepalive: float | None = 15.0,
    retry: int | None = 2000,
    end: str | None = None,
    profile: Profile | None = None,
    json_dumps: JSONDumps | None = None,
    **options: Unpack[ResponseKeywords],
) -> Response:
    """Stream server-sent events (WHATWG HTML, 9.2).

    An error after the stream has begun is sent as one `event: error` with a generic problem (RFC 9457), and the
    connection breaks. `on_error` replaces the problem with text or JSON, or the event with a ServerSentEvent.

    Args:
        events: ServerSentEvent, text (raw data), or anything JSON.
        keepalive: seconds of silence after which a comment is sent; None for never.
        retry: milliseconds for which a client waits before it reconnects; None sends no `retry`. A profile sends none,
            because its clients do not reconnect.
        end: name and id of an event that ends a complete stream. A client that reconnects with that id has it all and
            is answered 204, upon which an EventSource stops; the source is closed, and never started.
        profile: "openai", "ai-sdk" (Vercel's UI message stream), "anthropic" (messages) or "ag-ui": JSON parts, and the
            protocol's own keepalive, error and end.
        json_dumps: encodes what is neither event nor text, as text or UTF-8.
        **options: those of Response.

    Raises:
        ValueError: an option has a value that is not allowed, or both `end` and `profile` are given.
    """
    return _response(events, _sse_format(keepalive, retry, end, profile, json_dumps), options)


def _sse_format(
    keepalive: float | None,
    retry: int | None,
    end: str | None,
    profile: Profile | None,
    json_dumps: JSONDumps | None,
) -> SSE:
    if profile is None:
        return SSE(keepalive, retry, end=end, json_dumps=json_dumps)
    if profile not in tuple(PROFILES):  # by equality: what it is given may have no hash
        raise ValueError(f"profile: expected {' or '.join(map(repr, PROFILES))}, got {profile!r}")
    if end is not None:
        raise ValueError(f"end: the profile {profile!r} has an end of its own, got {end!r}")
    return PROFILES[profile](keepalive, json_dumps=json_dumps)
