"""Response headers: validated here, because some servers send whatever they are given (RFC 9110, 5.5 and 5.6.2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias, TypeGuard, cast
from urllib.parse import quote

from werkzeug.datastructures import Headers
from werkzeug.http import dump_options_header, parse_options_header, parse_set_header

from ._text import as_text
from .types import HeadersInput

__all__ = [
    "Pairs",
    "add_defaults",
    "add_safe_defaults",
    "check_field",
    "check_media_type",
    "check_status",
    "content_disposition",
    "content_length",
    "make_headers",
    "media_type_charset",
    "set_default",
    "text_of_filename",
    "united_vary",
    "with_charset",
]

Pairs: TypeAlias = Iterable[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LONGEST_KEPT = 256  # characters of a media type that a cache may keep: an application may have it of a stranger
_LENGTH = re.compile(r"[0-9]{1,18}")  # the largest file has fewer digits
_MEDIA_TYPE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# What no file system takes in a name, or what would be shown as another name: separators, controls, lone surrogates,
# line and paragraph separators, and the marks that turn the direction of writing
_UNSAFE = re.compile("[/\\\\\0-\x1f\x7f-\x9f\u061c\u200e\u200f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")
# RFC 6266, appendix D: quotes are unescaped by some recipients only, and some decode what looks percent-encoded
_AMBIGUOUS = re.compile(r'["/\\]|%(?=[0-9A-Fa-f]{2})|[^ -~]')
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1, besides letters and digits


def make_headers(given: HeadersInput | None) -> Headers:
    """Copy and validate headers.

    Args:
        given: a mapping (a list of values repeats the field) or pairs of name and value.

    Raises:
        ValueError: a name is no token, or a value holds CR, LF, NUL, another control or a character outside latin-1.
        TypeError: a name or value is not text.
    """
    headers = Headers()
    for pair in _pairs(given):
        name, value = check_field(*pair)
        headers.add(name, value.strip(" \t"))
    return headers


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
    if not _TOKEN.fullmatch(name):
        raise ValueError(
            f"headers: invalid field name {_cut(name)}; allowed characters are letters, digits and !#$%&'*+-.^_`|~"
        )
    if not _VALUE.fullmatch(value):
        place = next(index for index, letter in enumerate(value) if not _VALUE.fullmatch(letter))
        raise ValueError(
            f"headers: the value of {name} has a control or non-latin-1 character, U+{ord(value[place]):04X}"
            f" at position {place}"
        )
    # a subclass of str, an Enum for one, may look different once a server formats it
    return str.__str__(name), str.__str__(value)


def _cut(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _pairs(given: HeadersInput | None) -> Iterable[tuple[object, object]]:
    if given is None:
        return
    if isinstance(given, Mapping) and not isinstance(given, Headers):
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
    """Return the Content-Length; None if there is none.

    Raises:
        ValueError: it is not a number of bytes, or there are several (RFC 9110, 8.6).
    """
    values = [value for name, value in headers if name.lower() == "content-length"]
    if not values:
        return None
    if len(values) > 1:
        raise ValueError(f"Content-Length: expected one, got {len(values)}")
    if not _LENGTH.fullmatch(values[0]):
        raise ValueError(f"Content-Length: expected a number of bytes, got {_cut(values[0])}")
    return int(values[0])


def check_status(status: object) -> int:
    """Return `status` if a final response may have it; 1xx are interim, and the server's to send (RFC 9110, 15.2).

    Raises:
        ValueError: it is not from 200 to 599.
        TypeError: it is not a whole number.
    """
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status_code: expected 200 to 599, got {type(status).__name__}")
    if not 200 <= status <= 599:
        raise ValueError(f"status_code: expected 200 to 599, got {status}")
    return int(status)


def check_media_type(value: object) -> str:
    """Return `value` if it is a media type with well-formed parameters (RFC 9110, 8.3.1).

    Raises:
        ValueError: it is not.
        TypeError: it is not text.
    """
    if not isinstance(value, str):
        raise TypeError(f"media_type: expected text such as 'text/csv', got {type(value).__name__}")
    media_type, *_ = value.partition(";")
    if not _MEDIA_TYPE.fullmatch(media_type.strip()) or not _VALUE.fullmatch(value):
        raise ValueError(f"media_type: expected type/subtype such as 'text/csv', got {_cut(value)}")
    return value


def media_type_charset(value: str) -> str | None:
    """Return the charset parameter of a Content-Type."""
    return _kept_charset(value) if len(value) <= _LONGEST_KEPT else _charset_of(value)


def with_charset(media_type: str, charset: str) -> str:
    """Add the charset parameter to a text type that has none, as browsers expect it."""
    add = _kept_with_charset if len(media_type) <= _LONGEST_KEPT else _with_charset
    return add(media_type, charset)


def _charset_of(value: str) -> str | None:
    return parse_options_header(value)[1].get("charset")


def _with_charset(media_type: str, charset: str) -> str:
    kind, options = parse_options_header(media_type)
    if not kind.startswith("text/") or "charset" in options or kind == "text/event-stream":
        return media_type
    return dump_options_header(media_type, {"charset": charset})


_kept_charset = lru_cache(maxsize=256)(_charset_of)
_kept_with_charset = lru_cache(maxsize=256)(_with_charset)


def set_default(headers: list[tuple[str, str]], name: str, value: str) -> None:
    """Add a field unless it is there already: what the user said stands."""
    lower = name.lower()
    for present, _ in headers:
        if present.lower() == lower:
            return
    headers.append((name, value))


def add_defaults(headers: list[tuple[str, str]], defaults: Mapping[str, str]) -> None:
    """Add the fields that are not there; what the response varies on is added to what the user said of it."""
    for name, value in defaults.items():
        if name.lower() == "vary":
            headers[:] = united_vary(headers, value)
        else:
            set_default(headers, name, value)


def add_safe_defaults(headers: list[tuple[str, str]]) -> None:
    """Add what every response with a body says, unless its user or its format has.

    `nosniff`: a browser does not guess another type than the one that is named, and runs none of it as a script.
    `no-cache`: a cache asks before it answers with it. Without that, many keep a response by heuristics (RFC 9111,
    4.2.2), or by the ending of its path, and give one user's to the next.
    """
    if not any(name.lower() == "expires" for name, _ in headers):
        set_default(headers, "Cache-Control", "no-cache")
    set_default(headers, "X-Content-Type-Options", "nosniff")


def united_vary(headers: Pairs, fields: str) -> list[tuple[str, str]]:
    """Return the headers with names of request fields added to Vary; `*` says all of them (RFC 9110, 12.5.5)."""
    rest: list[tuple[str, str]] = []
    present: list[str] = []
    for name, value in headers:
        if name.lower() == "vary":
            present.append(value)
        else:
            rest.append((name, value))
    names = dict[str, str]()
    for field in parse_set_header(", ".join([*present, fields])):
        names.setdefault(field.lower(), field)
    if names:
        rest.append(("Vary", "*" if "*" in names else ", ".join(names.values())))
    return rest


def text_of_filename(filename: object) -> str:
    """Return the name of a file as text; that of a class which is text by all but its class is looked up now.

    Raises:
        TypeError: it is not text.
    """
    name = as_text(filename)
    if not isinstance(name, str):
        raise TypeError(f"filename: expected text such as 'report.csv', got {type(filename).__name__}")
    return name


def content_disposition(disposition: str, filename: str) -> str:
    """Return the value of a Content-Disposition that names a file (RFC 6266, RFC 8187).

    A name that plain ASCII cannot hold unambiguously is given twice: as an approximation, and exactly in `filename*`.

    Args:
        disposition: "attachment" or "inline".
        filename: any text; characters that are unsafe in a file's name become `_`, and an empty name "download".

    Raises:
        ValueError: `disposition` is neither.
        TypeError: `filename` is not text.
    """
    if disposition not in {"attachment", "inline"}:
        raise ValueError(f"disposition: expected 'attachment' or 'inline', got {disposition!r}")
    name = _name_or_default(_UNSAFE.sub("_", text_of_filename(filename)))
    letters = (letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    approximation = _name_or_default(_AMBIGUOUS.sub("_", "".join(letters)))  # now "℀" is "a/c"
    exact = None if approximation == name else f"UTF-8''{quote(name, safe=_ATTR_CHAR)}"
    return dump_options_header(disposition, {"filename": approximation, "filename*": exact})


def _name_or_default(name: str) -> str:
    return name if name.strip(" .") else "download"  # "", "." and ".." name no file
