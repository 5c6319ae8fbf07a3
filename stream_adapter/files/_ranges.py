"""Range requests (RFC 9110, 14) for bytes, and the multipart body of several. Pure.

A part of a file is a `range` of its bytes; a body is a list of such parts and of the bytes between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

__all__ = ["MAX_RANGES", "Segment", "content_range", "multipart", "parse_ranges"]

Segment: TypeAlias = bytes | range
"""A piece of a body: bytes as they are, or the range of a file's bytes that stands there."""

MAX_RANGES = 16  # more of them cost more than the whole file does

_RANGES = re.compile(r"[ \t]*bytes[ \t]*=(.*)", re.IGNORECASE)
_RANGE = re.compile(r"[ \t]*(?:([0-9]{1,99})-([0-9]{0,99})|-([0-9]{1,99}))[ \t]*")


def parse_ranges(field: str, size: int) -> list[range] | None:
    """Read a Range field.

    Args:
        field: its value.
        size: of the whole, in bytes.

    Returns:
        The ranges in the order asked for, those that touch made one; [] if none of them can be satisfied. None if the
        field is to be ignored: it is malformed, of another unit, asks for too many, or the file is empty.
    """
    match = _RANGES.fullmatch(field)
    if match is None or not size:
        return None
    ranges: list[range] = []
    for spec in match[1].split(","):
        if not spec.strip(" \t"):
            continue  # an empty element of a list means nothing (RFC 9110, 5.6.1.2)
        asked = _parse_one(spec, size)
        if asked is None:
            return None
        ranges.append(asked)
    if not ranges:
        return None
    joined = _coalesced([asked for asked in ranges if asked])
    return joined if len(joined) <= MAX_RANGES else None


def _parse_one(spec: str, size: int) -> range | None:
    """Read `first-last`, `first-` or `-length`; an empty range cannot be satisfied, None is malformed."""
    match = _RANGE.fullmatch(spec)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return range(max(size - int(suffix), 0), size)
    if last and int(last) < int(first):
        return None
    return range(min(int(first), size), min(int(last) + 1, size) if last else size)


def _coalesced(ranges: Sequence[range]) -> list[range]:
    """Make one of those that overlap or touch; each stands where the first of its own was asked for (15.3.7.2)."""
    joined: list[tuple[int, range]] = []
    for place, asked in sorted(enumerate(ranges), key=lambda item: item[1].start):
        if joined and asked.start <= joined[-1][1].stop:
            before, last = joined[-1]
            joined[-1] = min(before, place), range(last.start, max(last.stop, asked.stop))
        else:
            joined.append((place, asked))
    return [asked for _, asked in sorted(joined, key=lambda item: item[0])]


def content_range(part: range | None, size: int) -> str:
    """Return a Content-Range (RFC 9110, 14.4), None being that of a range that cannot be satisfied."""
    return f"bytes */{size}" if part is None else f"bytes {part.start}-{part.stop - 1}/{size}"


def multipart(parts: Iterable[range], size: int, media_type: str, boundary: str) -> list[Segment]:
    """Return the body of a multipart/byteranges response (RFC 9110, 14.6).

    Args:
        parts: which bytes.
        size: of the whole, in bytes.
        media_type: of the whole.
        boundary: stands between the parts; it cannot be guessed, so no file contains it on purpose.
    """
    segments: list[Segment] = []
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {content_range(part, size)}\r\n\r\n"
        segments += [head.encode("latin-1"), part, b"\r\n"]
    return [*segments, f"--{boundary}--\r\n".encode("latin-1")]
