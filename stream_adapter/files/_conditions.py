"""Conditional requests (RFC 9110, 13): compare the validators of a request with those of the file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from werkzeug.http import http_date, parse_date, parse_etags, unquote_etag

from stream_adapter._request import RequestHeaders

__all__ = ["Validators", "check_etag", "encoded_etag", "evaluate", "make_etag", "make_last_modified", "range_applies"]

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of a file, which tell its versions apart (RFC 9110, 8.8).

    Attributes:
        etag: as it is sent, quotes and all; None without one.
        last_modified: as it is sent; None if it is not known. It is read only where a request asks for that.
    """

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]]) -> Validators:
        """Read them from a response's headers."""
        fields = {name.lower(): value for name, value in headers}
        return cls(fields.get("etag"), fields.get("last-modified"))


def make_etag(modified_ns: int, changed_ns: int, size: int) -> str:
    """Return a strong entity tag (RFC 9110, 8.8.1).

    The time of modification and the size do not make one: builds of one SOURCE_DATE_EPOCH, package stores and
    `rsync --times` give different contents the same of both. When the inode was changed is set by the kernel at every
    write, and no program can set it. Two writes of equal length within one tick of its clock (some 4 ms) are one to it.

    Args:
        modified_ns: when the file was modified, in nanoseconds since the epoch.
        changed_ns: when its inode was changed (`st_ctime_ns`), in the same unit; on Windows, when it was created.
        size: its size in bytes.
    """
    return f'"{modified_ns:x}-{changed_ns:x}-{size:x}"'


def check_etag(etag: str) -> None:
    """Refuse what is not an entity tag (RFC 9110, 8.8.3).

    Raises:
        ValueError: its quotes are missing, or there is more than one.
    """
    if not _ETAG.fullmatch(etag):
        raise ValueError(f"headers: ETag: expected a tag in quotes such as '\"v1\"' or 'W/\"v1\"', got {etag!r}")


def encoded_etag(etag: str, coding: str) -> str:
    """Return the tag of a file's encoded form, which is a representation of its own (RFC 9110, 8.8.3.3)."""
    return f'{etag[:-1]}-{coding}"'


def make_last_modified(modified_ns: int, now: float) -> str:
    """Return the time of modification, or now if it is in the future (RFC 9110, 8.8.2.1).

    Args:
        modified_ns: nanoseconds since the epoch.
        now: seconds since the epoch.
    """
    return http_date(min(modified_ns // 10**9, int(now)))


def evaluate(headers: RequestHeaders, current: Validators) -> Literal[304, 412] | None:
    """Evaluate the preconditions of a GET or HEAD request in the order of RFC 9110, 13.2.2.

    What is not a date is ignored, as 13.1.3 and 13.1.4 say.

    Returns:
        The status that answers it; None to go on.
    """
    if (if_match := headers.get("if-match")) is not None:
        if not _matches(if_match, current.etag, strongly=True):
            return 412
    elif _is_modified_since(headers.get("if-unmodified-since"), current) is True:
        return 412
    if (if_none_match := headers.get("if-none-match")) is not None:
        if _matches(if_none_match, current.etag, strongly=False):
            return 304
    elif _is_modified_since(headers.get("if-modified-since"), current) is False:
        return 304
    return None


def range_applies(headers: RequestHeaders, current: Validators) -> bool:
    """Return True if the part of the file that the client has is of this version (If-Range, RFC 9110, 13.1.5).

    An entity tag must match strongly, a date exactly.
    """
    if_range = headers.get("if-range")
    if if_range is None:
        return True
    if if_range.startswith(('"', "W/")):
        return _matches(if_range, current.etag, strongly=True)
    date = _seconds(if_range)
    return date is not None and date == _seconds(current.last_modified)


def _matches(field: str, etag: str | None, *, strongly: bool) -> bool:
    """Look for an entity tag in a list of them, by one of the two comparisons of RFC 9110, 8.8.3.2."""
    tags = parse_etags(field)
    if tags.star_tag or etag is None:
        return tags.star_tag
    opaque, is_weak = unquote_etag(etag)
    if strongly:
        return not is_weak and tags.is_strong(opaque)
    return tags.contains_weak(opaque)


def _is_modified_since(field: str | None, current: Validators) -> bool | None:
    """Compare with a date; None if one of the two is not known."""
    if field is None:
        return None
    since, modified = _seconds(field), _seconds(current.last_modified)
    return None if since is None or modified is None else modified > since


def _seconds(field: str | None) -> float | None:
    try:
        date = parse_date(field)
        return None if date is None else date.timestamp()
    except OverflowError:  # a year, or a zone, beyond all calendars: that is not a date either
        return None
