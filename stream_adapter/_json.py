"""One value → compact JSON in UTF-8 (RFC 8259), always valid.

orjson writes what it knows, and what it does not know goes through one table, `STAND_INS`: class → the simpler value
that an instance is written as, one level of it. What orjson refuses as a whole (keys that are not text, whole numbers
past 64 bits, deep nesting) is written by `_written`, which walks it by the same table: both give the same bytes.

orjson writes NaN as `null`, and rounds the seconds of a UTC offset. So output that contains `null` is searched for a
NaN, and moments are written by the table, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import NoneType
from typing import Any
from uuid import UUID

import orjson

from ._json_values import STAND_INS, not_finite
from ._nan import refuse_nan
from ._remedies import name_of, remedy_for
from .errors import ChunkEncodingError, ChunkValueError
from .types import JSONDumps

__all__ = ["dump_json", "dump_json_event", "dump_json_line", "dump_slowly", "dumper_of", "in_one_line"]

_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATACLASS  # Pydantic's have a serializer of their own
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS  # a list with keys() is a row
)
_NATIVE = frozenset({str, int, float, bool, NoneType, UUID, orjson.Fragment})


def _dumper(ending: bytes) -> Callable[[object], bytes]:
    dumps, not_encodable = orjson.dumps, orjson.JSONEncodeError

    def dump(value: object) -> bytes:
        try:
            encoded = dumps(value, _default, _OPTIONS)
        except not_encodable:
            encoded = dump_slowly(value)
        if encoded.partition(b"null")[1]:  # three times as fast as `in`
            refuse_nan(value)
        if 10 in encoded:  # a line feed, which orjson itself never writes
            encoded = in_one_line(encoded)
        return encoded + ending

    return dump


dump_json = _dumper(b"")
"""Encode a value as compact JSON.

Raises:
    ChunkValueError: NaN or an infinity, a lone surrogate, a name twice in one object, or nesting too deep.
    ChunkEncodingError: it holds something that is not a JSON value.
"""

# orjson's own option for it saves a copy and costs ten: its buffers start at a kilobyte, and a window keeps thousands
dump_json_line = _dumper(b"\n")
r"""Encode a value as one line of JSON, `\n` included."""


def dump_json_event(value: object) -> bytes:
    """Encode a value as the data of a server-sent event: `dump_json` with the frame around it.

    Written out, because a call for each event costs a sixth of it.
    """
    try:
        encoded = orjson.dumps(value, _default, _OPTIONS)
    except orjson.JSONEncodeError:
        encoded = dump_slowly(value)
    if encoded.partition(b"null")[1]:
        refuse_nan(value)
    if 10 in encoded or 13 in encoded:  # either would end the field
        encoded = in_one_line(encoded)
    return b"data: %b\n\n" % encoded


def in_one_line(encoded: bytes) -> bytes:
    """Return JSON without line breaks, which a fragment of others (`orjson.Fragment`, `msgspec.Raw`) may bring.

    Outside of text they are white space, and inside of it JSON has none.

    Raises:
        ChunkValueError: it is not JSON.
    """
    try:
        orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        raise ChunkValueError(f"expected JSON, got a fragment with a line break that is not: {error.msg}") from None
    return encoded.replace(b"\n", b" ").replace(b"\r", b" ")


def dumper_of(json_dumps: JSONDumps | None) -> Callable[[object], bytes]:
    """Return `dump_json`, or a user's encoder whose errors become those of this library.

    Raises:
        TypeError: it is not a function.
    """
    if json_dumps is None:
        return dump_json
    if not callable(json_dumps):  # pyright: ignore[reportUnnecessaryComparison]  # callers need not be typed
        raise TypeError(f"json_dumps: expected a function, got {type(json_dumps).__name__}")

    def dump(value: object) -> bytes:
        try:
            dumped: Any = json_dumps(value)
        except Exception as error:
            raise ChunkValueError(f"json_dumps: {type(error).__name__} for {name_of(type(value))}: {error}") from error
        encoded = dumped.encode() if isinstance(dumped, str) else dumped
        if not isinstance(encoded, bytes):
            raise ChunkEncodingError(f"json_dumps: expected it to return text or bytes, got {type(dumped).__name__}")
        if not encoded:
            raise ChunkValueError("json_dumps: expected it to return a JSON value, got nothing")
        return encoded

    return dump


def _default(value: Any) -> object:
    """Return a simpler value for orjson in place of `value`."""
    return STAND_INS[type(value)](value)


def dump_slowly(value: object) -> bytes:
    """Encode what orjson refuses and JSON allows; raise an error that names the problem otherwise."""
    try:
        return _written(value)
    except RecursionError:
        raise ChunkValueError(
            f"expected a JSON value, got {name_of(type(value))} that is nested too deep, or holds itself"
        ) from None


def _written(value: Any) -> bytes:
    cls: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]  # of anything
    if cls is dict:
        return _object(value)
    if cls is list or cls is tuple:
        elements: list[bytes] = []
        for item in value:  # a comprehension has a frame of its own, and the interpreter allows a thousand
            elements.append(_written(item))  # noqa: PERF401
        return b"[%b]" % b",".join(elements)
    if cls in _NATIVE:
        return _scalar(value)
    try:
        simpler = _default(value)
    except (ChunkEncodingError, RecursionError):
        raise
    except Exception as error:  # a model's own serializer
        raise ChunkEncodingError(f"{name_of(type(error))} while encoding {name_of(cls)} as JSON: {error}") from error
    return _written(simpler)


def _object(record: dict[Any, Any]) -> bytes:
    members: dict[bytes, bytes] = {}
    for key, item in record.items():
        name = _key(key)
        if name in members:
            raise ChunkValueError(f"expected different names in one object, got {name.decode()} twice (RFC 8259, 4)")
        members[name] = _written(item)
    return b"{%b}" % b",".join([b"%b:%b" % member for member in members.items()])


def _key(key: Any) -> bytes:
    """Return the name that a key is written as: text, or the JSON of a scalar, quoted."""
    if type(key) is str:
        return _scalar(key)
    try:
        written = _written(key)
    except ChunkValueError:
        raise
    except ChunkEncodingError:
        written = b"["
    if written[:1] in b"[{":
        cls: type[Any] = type(key)  # pyright: ignore[reportUnknownVariableType]  # of anything
        raise ChunkEncodingError(
            f"expected text, a number, a moment, a UUID or None as a key, got {name_of(cls)}{remedy_for(key)}"
        )
    return written if written[:1] == b'"' else b'"%b"' % written


def _scalar(value: Any) -> bytes:
    cls: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]  # of anything
    if cls is float and not math.isfinite(value):
        raise not_finite(repr(value))
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if cls is str:
            raise ChunkValueError("expected text, got a lone surrogate inside a JSON value") from error
        return _digits(value)


def _digits(number: int) -> bytes:
    try:
        return b"%d" % number
    except ValueError as error:  # more than sys.set_int_max_str_digits allows
        raise ChunkValueError(f"expected a shorter number: {error}") from error
