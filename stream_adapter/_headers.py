"""The header fields of a response: validate, look up, merge and filter them (RFC 9110).

They are validated because some servers send any text as it is. The functions are pure: they do not change their
arguments unless they say so, because all requests of an application may share them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias, TypeGuard, cast

from ._status import check_status, is_bodiless
from .types import HeadersInput

__all__ = [
    "FIELD_VALUE",
    "TOKEN",
    "Pairs",
    "check_field",
    "checked_headers",
    "content_length",
    "encoded_fields",
    "field_value",
    "field_values",
    "has_field",
    "know_fields",
    "merge_headers",
    "outgoing_head",
    "sendable",
    "set_default",
    "shortened",
    "united_vary",
    "without_fields",
    "without_hop_by_hop",
]

Pairs: TypeAlias = Iterable[tuple[str, str]]

logger = logging.getLogger("stream_adapter")

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LENGTH = re.compile(r"[0-9]{1,18}")  # the largest file has fewer digits
# RFC 9110, 7.6.1, and PEP 3333, which forbids them to applications
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)

# Lists whose members say something each on its own: one side's do not replace the other's
_ADDITIVE = frozenset({"link", "server-timing"})


def field_values(headers: Pairs, name: str) -> list[str]:
    """Return the values of a field, one for each of its lines.

    Args:
        headers: pairs of name and value.
        name: in lower case.
    """
    length = len(name)  # of few other fields, so that few names are put in lower case
    return [value for each, value in headers if len(each) == length and each.lower() == name]


def field_value(headers: Pairs, name: str) -> str | None:
    """Return the value of a field, or of its first line; None if the field is absent. `name` is in lower case."""
    length = len(name)
    for each, value in headers:
        if len(each) == length and each.lower() == name:
            return value
    return None


def has_field(headers: Pairs, name: str) -> bool:
    """Return True if the headers have the field, whatever the case of its name."""
    return field_value(headers, name.lower()) is not None


def without_fields(headers: Pairs, names: Collection[str]) -> list[tuple[str, str]]:
    """Return the headers without some fields, whose names are in lower case."""
    return [pair for pair in headers if pair[0].lower() not in names]


def checked_headers(given: HeadersInput | None) -> list[tuple[str, str]]:
    """Copy and validate headers.

    Args:
        given: a mapping (a list of values repeats the field) or pairs of name and value.

    Raises:
        ValueError: a name is not a token, or a value holds CR, LF, NUL, another control or a character outside latin-1.
        TypeError: a name or value is not text.
    """
    checked = [check_field(*pair) for pair in _pairs(given)]
    return [(name, value.strip(" \t")) for name, value in checked]


def check_field(name: object, value: object) -> tuple[str, str]:
    """Return a field if it may be sent (RFC 9110, 5.1 and 5.5). The error names the field, and never quotes its value.

    Raises:
        ValueError: the name is not a token, or the value holds a control or a character outside latin-1.
        TypeError: the name or the value is not text.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(
            f"headers: expected text for a name and its value, got {type(name).__name__} and {type(value).__name__}"
        )
    if not TOKEN.fullmatch(name):
        raise ValueError(
            f"headers: invalid field name {shortened(name)}; allowed characters are letters, digits and !#$%&'*+-.^_`|~"
        )
    if not FIELD_VALUE.fullmatch(value):
        place = next(index for index, letter in enumerate(value) if not FIELD_VALUE.fullmatch(letter))
        raise ValueError(
            f"headers: the value of {name} has a control or non-latin-1 character, U+{ord(value[place]):04X}"
            f" at position {place}"
        )
    # a subclass of str, an Enum for one, may look different when a server formats it
    return str.__str__(name), str.__str__(value)


def shortened(text: str) -> str:
    """Return the representation of text that a client or a user chose, for an error message."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _pairs(given: HeadersInput | None) -> Iterable[tuple[object, object]]:
    if given is None:
        return
    if isinstance(given, Mapping):  # which Werkzeug's Headers are not
        for name, values in cast("Mapping[object, object]", given).items():
            yield from ((name, value) for value in (values if _is_several(values) else (values,)))
        return
    for pair in given:
        try:
            name, value = pair
        except (TypeError, ValueError):
            raise TypeError(f"headers: expected pairs of name and value, got {type(pair).__name__}") from None
        yield name, value


def _is_several(values: object) -> TypeGuard[Iterable[object]]:
    return isinstance(values, (list, tuple))


def content_length(headers: Pairs) -> int | None:
    """Return the Content-Length; None without the field.

    Raises:
        ValueError: it is not a number of bytes, or there are several (RFC 9110, 8.6).
    """
    value: str | None = None
    for name, each in headers:  # written out, because each head is looked at twice
        if len(name) == 14 and name.lower() == "content-length":
            if value is not None:
                raise ValueError("Content-Length: expected one, got several")
            value = each
    if value is None:
        return None
    if not _LENGTH.fullmatch(value):
        raise ValueError(f"Content-Length: expected a number of bytes, got {shortened(value)}")
    return int(value)


def set_default(headers: list[tuple[str, str]], name: str, value: str) -> None:
    """Add a field unless the user has set it."""
    if not has_field(headers, name):
        headers.append((name, value))


def united_vary(headers: Pairs, fields: str) -> list[tuple[str, str]]:
    """Return the headers with names of request fields added to Vary; `*` says all of them (RFC 9110, 12.5.5)."""
    rest: list[tuple[str, str]] = []
    present: list[str] = []
    for name, value in headers:
        if name.lower() == "vary":
            present.append(value)
        else:
            rest.append((name, value))
    united = _united_fields(", ".join([*present, fields]))
    if united:
        rest.append(("Vary", united))
    return rest


@lru_cache(maxsize=256)  # what a response varies on is of its application, not of its request
def _united_fields(fields: str) -> str:
    names: dict[str, str] = {}
    for field in filter(None, map(str.strip, fields.split(","))):
        names.setdefault(field.lower(), field)
    return "*" if "*" in names else ", ".join(names.values())


def merge_headers(stream: Pairs, framework: Pairs, *, copied: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Join the headers of a stream with those that a framework, its middleware or a dependency set for the response.

    The framework's fields come first, in their order.

    - A field that both have is the framework's, with all of its lines: it was set later, by code that saw the stream's.
    - `Set-Cookie` is kept from both. Where both set one cookie (of the same name, domain and path, RFC 6265, 5.3), the
      framework's is sent.
    - `Vary` is the union of both; `*` stands for all.
    - `Link` and `Server-Timing` are kept from both, and no line twice.
    - Hop-by-hop fields of either side are dropped.

    Args:
        stream: what the response says: `body.headers`, which are final after `start()`.
        framework: what the framework's response object says by now.
        copied: names of fields that were copied from the stream's when the framework's object was made. Its version of
            these stands, also where it has removed them; except for `Vary`, to which the stream may have added since.

    Raises:
        ValueError: a name or a value may not be sent.
        TypeError: a name or a value is not text.
    """
    merged = sendable(framework)
    present = {name.lower() for name, _ in merged}
    stands = {name.lower() for name in copied}
    cookies = {_identity(value) for name, value in merged if name.lower() == "set-cookie"}
    lines = {(name.lower(), value) for name, value in merged if name.lower() in _ADDITIVE}
    vary: list[str] = []
    joined: list[tuple[str, str]] = []
    for name, value in sendable(stream):
        lower = name.lower()
        if lower == "vary":
            vary.append(value)
        elif lower in stands:
            continue
        elif lower == "set-cookie":
            if _identity(value) not in cookies:
                joined.append((name, value))
        elif lower not in present or (lower in _ADDITIVE and (lower, value) not in lines):
            joined.append((name, value))
    merged += joined
    return united_vary(merged, ", ".join(vary)) if vary else merged


def _identity(cookie: str) -> tuple[str, str, str, bool]:
    """Return the identity of a Set-Cookie: a browser replaces one of the same name, domain, path and partition."""
    pair, *attributes = cookie.split(";")
    given: dict[str, str] = {}
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        given[key.strip().lower()] = value.strip()
    domain = given.get("domain", "").lower().removeprefix(".")
    return pair.partition("=")[0].strip(), domain, given.get("path", ""), "partitioned" in given


def outgoing_head(status: int, headers: Pairs) -> tuple[int, list[tuple[str, str]]]:
    """Check and return a head that is about to be sent. Each final head passes here before its first byte.

    It may have changed since construction: on the response, by a format, by a framework's middleware.

    Raises:
        ValueError: the status is not one of a final response, a name or a value may not be sent, or the Content-Length
            is not a number.
        TypeError: the status is not a number, or a name or a value is not text.
    """
    status = check_status(status)
    kept = sendable(headers)
    if content_length(kept) is not None and is_bodiless(status):  # RFC 9110, 8.6
        kept = without_fields(kept, {"content-length"})
    if status == 204:  # what a framework's object was given before it was known that nothing is sent
        kept = without_fields(kept, {"content-type"})
    return status, kept


def without_hop_by_hop(headers: Pairs) -> list[tuple[str, str]]:
    """Return the fields that an application may send: hop-by-hop ones are the server's (PEP 3333)."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower() in _HOP_BY_HOP:
            logger.debug("the header %s is dropped: hop-by-hop fields are the server's to send", name)
        else:
            kept.append((name, value))
    return kept


def sendable(headers: Pairs) -> list[tuple[str, str]]:
    """Return the fields that may be sent, each of them checked."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        pair = name, value
        known = _known.get(pair) if type(name) is type(value) is str else None
        if known is not None:
            kept.append(known[0])
        elif _is_plain(*pair):
            kept.append(pair)
        else:
            kept += without_hop_by_hop([check_field(*pair)])
    return kept


def _is_plain(name: str, value: str) -> bool:
    """Return True for a field that `check_field` would return as it is, as nearly all are; it takes longer."""
    is_plain = type(name) is str and type(value) is str and value.isascii() and value.isprintable()
    return is_plain and _is_end_to_end(name)


@lru_cache(maxsize=512)
def _is_end_to_end(name: str) -> bool:
    """Return True for the name of a field that an application may send."""
    return TOKEN.fullmatch(name) is not None and name.lower() not in _HOP_BY_HOP


_known: dict[tuple[str, str], tuple[tuple[str, str], tuple[bytes, bytes]]] = {}
_MOST_KNOWN, _LONGEST_KNOWN = 512, 128
# not Content-Disposition: a file's name may be of one client only
_DEFAULTS = frozenset({"Content-Type", "Cache-Control", "X-Accel-Buffering", "X-Content-Type-Options", "Vary"})


def know_fields(fields: Pairs) -> None:
    """Check and encode those of these fields that the library adds to many responses, once for all of them."""
    for pair in fields:
        is_default = pair[0] in _DEFAULTS and len(pair[1]) <= _LONGEST_KNOWN and _is_plain(*pair)
        if is_default and len(_known) < _MOST_KNOWN:
            _known[pair] = (pair, _encoded(*pair))


def encoded_fields(headers: Pairs) -> list[tuple[bytes, bytes]]:
    """Return the fields as ASGI has them, with names in lower case."""
    return [known[1] if (known := _known.get(pair)) else _encoded(*pair) for pair in headers]


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return _encoded_name(name), value.encode("latin-1")


@lru_cache(maxsize=512)  # an application has few, and none is its client's
def _encoded_name(name: str) -> bytes:
    return name.lower().encode("latin-1")
