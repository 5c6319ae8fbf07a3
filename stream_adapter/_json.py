"""One value → compact JSON in UTF-8 (RFC 8259), by orjson, valid always.

orjson writes NaN as `null` and knows neither Decimal nor models nor whole numbers past 64 bits. All of it is mended
here without slowing the common case: only output that contains `null` is looked through for a NaN, and only what orjson
does not know reaches `_default`.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, TypeAlias, cast
from uuid import UUID

import orjson

from ._records import reader_of
from ._types import JSONDumps
from .errors import ChunkEncodingError, ChunkValueError

__all__ = ["dump_json", "dump_json_line", "dumper_of"]

_Convert: TypeAlias = Callable[[Any], object]

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS  # Pydantic's have a serializer of their own
_ANY_KEYS = _OPTIONS | orjson.OPT_NON_STR_KEYS  # a quarter slower, so only where it is needed
_NEVER_NAN = frozenset({str, int, bool, NoneType, datetime, date, time, UUID})


def _dumper(ending: bytes) -> Callable[[object], bytes]:
    dumps, not_encodable = orjson.dumps, orjson.JSONEncodeError

    def dump(value: object) -> bytes:
        try:
            encoded = dumps(value, _default, _OPTIONS)
        except not_encodable:
            encoded = _dump_slowly(value)
        if encoded.partition(b"null")[1]:  # three times as fast as `in`
            _refuse_nan(value)
        return encoded + ending

    return dump


dump_json = _dumper(b"")
"""Encode a value as compact JSON.

Raises:
    ChunkValueError: NaN or an infinity, a lone surrogate, or nesting too deep.
    ChunkEncodingError: it holds something that is no JSON value.
"""

# orjson's own option for it saves a copy and costs ten: its buffers start at a kilobyte, and a window keeps thousands
dump_json_line = _dumper(b"\n")
r"""Encode a value as one line of JSON, `\n` included."""


def dumper_of(json_dumps: JSONDumps | None) -> Callable[[object], bytes]:
    """Return `dump_json`, or a user's encoder in its place, whose every error is one of ours.

    Raises:
        TypeError: it is no function.
    """
    if json_dumps is None:
        return dump_json
    if not callable(json_dumps):  # pyright: ignore[reportUnnecessaryComparison]  # callers need not be typed
        raise TypeError(f"json_dumps: expected a function, got {type(json_dumps).__name__}")

    def dump(value: object) -> bytes:
        try:
            dumped: Any = json_dumps(value)
        except Exception as error:
            raise ChunkValueError(f"json_dumps: {type(error).__name__} for {type(value).__name__}: {error}") from error
        encoded = dumped.encode() if isinstance(dumped, str) else dumped
        if not isinstance(encoded, bytes):
            raise ChunkEncodingError(f"json_dumps: expected it to return text or bytes, got {type(dumped).__name__}")
        if not encoded:
            raise ChunkValueError("json_dumps: expected it to return a JSON value, got nothing")
        return encoded

    return dump


def _default(value: Any) -> object:
    """Give orjson something it knows in place of `value`."""
    return _stand_in(value.__class__)(value)


def _stand_in_of(cls: type[Any]) -> _Convert:
    if issubclass(cls, Decimal):
        return _exact
    if hasattr(cls, "__pydantic_serializer__"):
        to_json = cls.__pydantic_serializer__.to_json
        return lambda model: orjson.Fragment(_checked(to_json(model)))
    if hasattr(cls, "__struct_fields__"):
        encode = sys.modules["msgspec"].json.encode
        return lambda struct: orjson.Fragment(encode(struct))
    return _shallow(cls)


def _shallow_of(cls: type[Any]) -> _Convert:
    """Return what turns one level of an instance into the dict, list or scalar that stands for it."""
    if issubclass(cls, (AbstractSet, tuple)):
        return list
    if issubclass(cls, Mapping):
        return dict
    if issubclass(cls, float):
        return float
    return reader_of(cls) or _refuse


# by the class, for a stream has few of them and many instances
_stand_in = cast("Callable[[type[Any]], _Convert]", lru_cache(maxsize=1024)(_stand_in_of))
_shallow = cast("Callable[[type[Any]], _Convert]", lru_cache(maxsize=1024)(_shallow_of))


def _refuse(value: object) -> object:
    raise ChunkEncodingError(f"expected a JSON value, got {type(value).__name__} inside it")


def _checked(encoded: bytes) -> bytes:
    """Return what a model wrote itself: Pydantic's `ser_json_inf_nan="constants"` is no JSON."""
    if encoded.partition(b"NaN")[1] or encoded.partition(b"Infinity")[1]:
        json.loads(encoded, parse_constant=_refuse_constant)
    return encoded


def _refuse_constant(name: str) -> None:
    raise _not_finite(name)


def _not_finite(number: object) -> ChunkValueError:
    return ChunkValueError(f"expected a finite number, got {number}; JSON has no NaN and no infinities")


def _exact(number: Decimal | int) -> orjson.Fragment:
    """Return a number with all its digits: JSON does not bound them."""
    if isinstance(number, Decimal) and not number.is_finite():
        raise _not_finite(number)
    return orjson.Fragment(str(number))


def _dump_slowly(value: object) -> bytes:
    """Encode what orjson refuses and JSON allows; name what is wrong with the rest."""
    try:
        return orjson.dumps(value, _default, _ANY_KEYS)
    except orjson.JSONEncodeError as error:
        cause = error.__cause__
        if isinstance(cause, ChunkEncodingError):
            raise cause from None
        if cause is not None:  # a model's own serializer
            raise ChunkEncodingError(f"{type(cause).__name__} while encoding {type(value).__name__} as JSON") from cause
    try:
        return orjson.dumps(_plain(value), None, _ANY_KEYS)
    except ChunkEncodingError:  # which is a TypeError, as is orjson's
        raise
    except (orjson.JSONEncodeError, RecursionError) as error:
        if "surrogates" in str(error):
            raise ChunkValueError("expected text, got a lone surrogate inside a JSON value") from error
        raise ChunkValueError(f"expected a JSON value, got {type(value).__name__}: {error}") from error


def _refuse_nan(value: Any) -> None:
    """Look through a value that was written with a `null`, which may be None or hide a NaN."""
    cls: type[Any] = value.__class__
    if cls in _NEVER_NAN:
        return
    if cls is dict:
        for key, item in value.items():
            if key.__class__ is not str:
                _plain_key(key)  # NaN would be the key "null"
            _refuse_nan(item)
    elif cls is list or cls is tuple:
        for item in value:
            _refuse_nan(item)
    else:
        _plain(value)


def _plain(value: Any) -> Any:  # noqa: PLR0911  # a table in the order in which its rows are tried
    """Walk the whole value, refuse what JSON cannot hold, and return it in what orjson knows without asking."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else _exact(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _not_finite(repr(value))
        return value
    if isinstance(value, Decimal):
        return _exact(value)
    if isinstance(value, dict):
        return {_plain_key(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # any mapping
    if isinstance(value, list):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # any items
    shallow = _shallow(value.__class__)
    return value if shallow is _refuse else _plain(shallow(value))  # orjson knows datetime, UUID and their like


def _plain_key(key: Any) -> Any:
    if isinstance(key, float):
        return _plain(key)
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else key
