"""The answer to a request for a file: all of it, one range, several, or a status alone. Pure: no I/O."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stream_adapter._headers import field_value, set_default, without_fields
from stream_adapter._request import RequestHead
from stream_adapter._status import is_bodiless

from ._conditions import Validators, evaluate, range_applies
from ._ranges import Segment, content_range, multipart, parse_ranges

__all__ = ["Answer", "answer"]

Headers: TypeAlias = list[tuple[str, str]]

_OF_THE_FILE = frozenset({"etag", "last-modified", "cache-control", "expires"})  # and not of a refusal


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, its headers, and the pieces of the body.

    Attributes:
        segments: None for the whole file.
    """

    status: int
    headers: Headers
    segments: list[Segment] | None


def answer(head: RequestHead, status: int, headers: Headers, size: int | None) -> Answer:
    """Answer a request: preconditions first, then ranges (RFC 9110, 13.2.2).

    Args:
        head: the request. Only a GET or a HEAD asks for the file itself, and only a GET for ranges of it (14.2).
        status: what is sent if nothing is asked for; any but 200 is sent whatever is asked for (13.2.1).
        headers: those of the whole file, validators and Content-Type among them.
        size: of the file in bytes; None if it is not known: no ranges are sent then.
    """
    if is_bodiless(status):
        return Answer(status, _without(headers, _describes_content), [])
    if status == 200 and head.method in {"GET", "HEAD"}:
        current = Validators.of(headers)
        failed = evaluate(head.headers, current)
        if failed == 304:
            return Answer(304, _without(headers, _describes_content), [])
        if failed == 412:
            return _refusal(412, headers)
        asked = head.headers.get("range") if head.method == "GET" and size is not None else None
        if asked is not None and size is not None and range_applies(head.headers, current):
            ranges = parse_ranges(asked, size)
            if ranges is not None:
                return _partial(headers, ranges, size)
    return Answer(status, _sized(headers, size), None)


def _partial(headers: Headers, ranges: list[range], size: int) -> Answer:
    """Send parts (206; RFC 9110, 15.3.7), or refuse ranges outside the file (416; 15.5.17)."""
    if not ranges:
        return _refusal(416, [*headers, ("Content-Range", content_range(None, size))])
    if len(ranges) == 1:
        part = ranges[0]
        return Answer(206, _sized([*headers, ("Content-Range", content_range(part, size))], len(part)), [part])
    boundary = secrets.token_hex(13)
    media_type = field_value(headers, "content-type") or ""
    segments = multipart(ranges, size, media_type, boundary)
    own = without_fields(headers, {"content-type"})
    own.append(("Content-Type", f"multipart/byteranges; boundary={boundary}"))
    return Answer(206, _sized(own, sum(map(len, segments))), segments)


def _refusal(status: int, headers: Headers) -> Answer:
    """Answer without a file, and without headers that describe one."""
    kept = _without(
        headers, lambda name: name in _OF_THE_FILE or (_describes_content(name) and name != "content-range")
    )
    return Answer(status, _sized([*kept, ("Content-Type", "text/plain")], 0), [])


def _describes_content(name: str) -> bool:
    return name.startswith("content-") and name not in {"content-location", "content-security-policy"}


def _without(headers: Headers, is_dropped: Callable[[str], bool]) -> Headers:
    return [(name, value) for name, value in headers if not is_dropped(name.lower())]


def _sized(headers: Headers, size: int | None) -> Headers:
    """Return the headers with the length of the body, where that is known."""
    sized = list(headers)
    if size is not None:
        set_default(sized, "Content-Length", str(size))
    return sized
