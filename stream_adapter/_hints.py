"""The error for an unknown option, with the name that `Response` has for it."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["unknown_option"]

_EVENTS = "sse(…, {0}=…), or the decorator @streaming.sse({0}=…)"
_ROWS = "csv(…, {0}=…), or the decorator @streaming.csv({0}=…)"
_LIMITS = "limits=Limits({0}=…)"
_TYPE = "media_type="
_STATUS = "status_code="

# option → what to write, in which {0} is the option itself
_WORDS = {
    "status": _STATUS,  # Flask, Django, aiohttp
    "code": _STATUS,
    "content_type": _TYPE,  # Django, Werkzeug
    "contenttype": _TYPE,
    "mimetype": _TYPE,  # Flask
    "mime_type": _TYPE,
    "type": _TYPE,
    "encoding": "charset=",
    "header": "headers= (or, for the columns of a CSV, csv(…, header=…))",
    "cookies": "set_cookie() on the response that stream_response(…) returns",
    "response": "the content as the first argument",  # Flask
    "body": "the content as the first argument",
    "data": "the content as the first argument",
    "streaming_content": "the content as the first argument",  # Django
    "iterable": "the content as the first argument",
    "generator": "the content as the first argument",
    "keepalive": _EVENTS,
    "keep_alive": _EVENTS.format("keepalive"),
    "heartbeat": _EVENTS.format("keepalive"),
    "ping": _EVENTS.format("keepalive"),  # sse-starlette
    "retry": _EVENTS,
    "end": _EVENTS,
    "profile": _EVENTS,
    "event": "yield ServerSentEvent(…, event=…)",
    "id": "yield ServerSentEvent(…, id=…)",
    "json_dumps": "ndjson(…, json_dumps=…), or another of the JSON formats",
    "default": "ndjson(…, json_dumps=…), or another of the JSON formats",
    "filename": 'file(…, filename=…), csv(…, filename=…), or headers={{"Content-Disposition": …}}',
    "download_name": "file(…, filename=…)",  # Flask
    "attachment_filename": "file(…, filename=…)",
    "as_attachment": 'file(…, disposition="attachment")',
    "disposition": "file(…, disposition=…)",
    "content_disposition_type": "file(…, disposition=…)",  # Starlette
    "conditional": "file(…), which answers conditions and ranges",
    "etag": "file(…), which has a tag, or headers={{'ETag': …}}",
    "max_age": "headers={{'Cache-Control': 'max-age=…'}}",
    "columns": _ROWS.format("header"),
    "fieldnames": _ROWS.format("header"),
    "dialect": _ROWS,
    "delimiter": _ROWS.format("dialect"),
    "bom": _ROWS,
    "escape_formulas": _ROWS,
    "extras": _ROWS,
    "high_water": _LIMITS,
    "max_items": _LIMITS,
    "idle_timeout": _LIMITS,
    "total_timeout": _LIMITS,
    "send_timeout": _LIMITS,  # sse-starlette, too
    "close_timeout": _LIMITS,
    "timeout": _LIMITS.format("total_timeout"),
    "chunk_size": _LIMITS.format("high_water"),
    "buffer_size": _LIMITS.format("high_water"),
    "buffering": 'flush="item" or flush="bulk"',
    "on_disconnect": "on_close=, which is given the reason",
    "callback": "on_close=",
    "background": "on_close=, or the framework's own background tasks",  # Starlette
    "onerror": "on_error=",
}


def unknown_option(name: str, allowed: Iterable[str]) -> TypeError:
    """Return the error for an option that `Response` does not have: what to write instead, and what is allowed."""
    known = sorted(allowed)
    word = _WORDS.get(name.lower())
    if word is None:
        from difflib import get_close_matches  # noqa: PLC0415  # an error alone needs it

        close = get_close_matches(name.lower(), [*known, *_WORDS], n=1, cutoff=0.75)
        match = close[0] if close else ""
        word = f"{match}=" if match in known else _WORDS.get(match)
        hint = word.format(match) if word else ""
    else:
        hint = word.format(name.lower())
    meant = f"did you mean {hint}? Allowed" if hint else "allowed"
    return TypeError(f"Response: unknown option {name!r}; {meant} are {', '.join(known)}")
