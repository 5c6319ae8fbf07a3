"""Media types: their syntax, which of them are live, and the charset parameter (RFC 9110, 8.3.1)."""

from __future__ import annotations

import re
from functools import lru_cache

from ._headers import FIELD_VALUE, TOKEN, shortened

__all__ = [
    "EVENT_STREAM",
    "ITEM_STREAMS",
    "JSON_LINES",
    "JSON_SEQ",
    "LIVE",
    "check_media_type",
    "media_type_charset",
    "parameter_of",
    "with_charset",
    "without_parameters",
]

EVENT_STREAM = "text/event-stream"
JSON_SEQ = "application/json-seq"
JSON_LINES = frozenset(
    f"application/{name}"
    for name in (
        *("x-ndjson", "ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "json-lines", "x-json-lines"),
        *("stream+json", "x-json-stream"),  # Spring's
    )
)
"""The names that one JSON value per line goes by."""

ITEM_STREAMS = JSON_LINES | {EVENT_STREAM, JSON_SEQ}
"""The types whose items are complete by themselves: a reader acts on one before the next one arrives."""

LIVE = ITEM_STREAMS | {"text/plain", "text/html"}
"""The types whose readers may wait for each chunk: proxies should not buffer them."""

_LONGEST_KEPT = 256  # characters of a media type that a cache may keep: a request may have brought it
_MEDIA_TYPE = re.compile(f"{TOKEN.pattern}/{TOKEN.pattern}")


def without_parameters(media_type: str) -> str:
    """Return `type/subtype` of a Content-Type, in lower case."""
    return media_type.partition(";")[0].strip().lower()


def check_media_type(value: object) -> str:
    """Return `value` if it is a media type with well-formed parameters (RFC 9110, 8.3.1).

    Raises:
        ValueError: it is not.
        TypeError: it is not text.
    """
    if not isinstance(value, str):
        raise TypeError(f"media_type: expected text such as 'text/csv', got {type(value).__name__}")
    if not _MEDIA_TYPE.fullmatch(without_parameters(value)) or not FIELD_VALUE.fullmatch(value):
        raise ValueError(f"media_type: expected type/subtype such as 'text/csv', got {shortened(value)}")
    return value


def media_type_charset(value: str) -> str | None:
    """Return the charset parameter of a Content-Type."""
    return _kept_charset(value) if len(value) <= _LONGEST_KEPT else _charset_of(value)


def with_charset(media_type: str, charset: str) -> str:
    """Add the charset parameter to a text type that has none, as browsers expect it."""
    add = _kept_with_charset if len(media_type) <= _LONGEST_KEPT else _with_charset
    return add(media_type, charset)


def parameter_of(media_type: str, name: str) -> str | None:
    """Return a parameter of a Content-Type, unquoted (RFC 9110, 5.6.6). `name` is in lower case."""
    if name not in media_type.lower():  # as most have none, and need no Werkzeug, which takes long to import
        return None
    from werkzeug.http import parse_options_header  # noqa: PLC0415  # see above

    return parse_options_header(media_type)[1].get(name)


def _charset_of(value: str) -> str | None:
    return parameter_of(value, "charset")


def _with_charset(media_type: str, charset: str) -> str:
    kind = media_type.partition(";")[0].strip()
    if not kind.startswith("text/") or kind == EVENT_STREAM or _charset_of(media_type) is not None:
        return media_type
    return f"{media_type}; charset={charset}"  # a codec's name is a token


_kept_charset = lru_cache(maxsize=256)(_charset_of)
_kept_with_charset = lru_cache(maxsize=256)(_with_charset)
