"""One value → compact JSON in UTF-8 (RFC 8259), by orjson, valid always.

orjson writes NaN as `null` and knows neither Decimal nor models. Both are mended here without slowing the common case:
only output that contains `null` is looked through for a NaN, and only unknown types reach `_default`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson

from .errors import ChunkEncodingError, ChunkValueError

__all__ = ["dump_json", "is_model"]

_ANY_KEYS = orjson.OPT_NON_STR_KEYS


def is_model(cls: type[Any]) -> bool:
    """Whether instances are records that become a JSON object: dataclass, Pydantic, msgspec, attrs."""
    return any(
        hasattr(cls, mark)
        for mark in ("__dataclass_fields__", "__pydantic_serializer__", "__struct_fields__", "__attrs_attrs__")
    )


def dump_json(value: object) -> bytes:
    """Encode `value` as compact JSON.

    Raises:
        ChunkValueError: NaN or an infinity, a lone surrogate, or nesting too deep.
        ChunkEncodingError: it holds something that is no JSON value.
    """
    try:
        encoded = orjson.dumps(value, _default)
    except orjson.JSONEncodeError:
        try:
            encoded = orjson.dumps(value, _default, _ANY_KEYS)  # a quarter slower, so only where it is needed
        except orjson.JSONEncodeError as error:
            return _dump_beyond_orjson(value, error)
    if b"null" in encoded:
        _plain(value)
    return encoded


def _default(value: Any) -> object:
    """Give orjson something it knows in place of `value`."""
    cls: type[Any] = value.__class__
    if isinstance(value, Decimal):
        return orjson.Fragment(_finite_decimal(value))
    if hasattr(cls, "__pydantic_serializer__"):
        return orjson.Fragment(value.__pydantic_serializer__.to_json(value))
    if hasattr(cls, "__struct_fields__"):
        return orjson.Fragment(sys.modules["msgspec"].json.encode(value))
    return _shallow(value)


def _shallow(value: Any) -> object:
    """Turn one level of `value` into the dict, list or scalar that stands for it."""
    cls: type[Any] = value.__class__
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # any mapping
    if isinstance(value, (AbstractSet, tuple)):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # any items
    if isinstance(value, float):
        return float(value)
    if hasattr(cls, "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in cls.__attrs_attrs__}
    raise ChunkEncodingError(f"expected a JSON value, got {cls.__name__} inside it")


def _finite_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ChunkValueError(f"expected a finite number, got {value}; JSON has no NaN and no infinities")
    return str(value)


def _dump_beyond_orjson(value: object, error: orjson.JSONEncodeError) -> bytes:
    """Encode what orjson refuses and JSON allows (whole numbers past 64 bits); name what is wrong with the rest."""
    cause = error.__cause__
    if isinstance(cause, ChunkEncodingError):
        raise cause from None
    if cause is not None:  # a model's own serializer
        raise ChunkEncodingError(f"{type(cause).__name__} while encoding {type(value).__name__} as JSON") from cause
    try:
        text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError as surrogate:
        raise ChunkValueError("expected text, got a lone surrogate inside a JSON value") from surrogate
    except ChunkEncodingError:
        raise
    except (TypeError, ValueError, RecursionError) as problem:
        raise ChunkValueError(f"expected a JSON value, got {type(value).__name__}: {error}") from problem


def _plain(value: Any) -> Any:  # noqa: C901, PLR0911  # a table in the order in which its rows are tried
    """Walk the whole value, refuse what JSON cannot hold, and return it in dicts, lists and scalars."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ChunkValueError(f"expected a finite number, got {value!r}; JSON has no NaN and no infinities")
        return value
    if isinstance(value, Decimal):
        return json.loads(_finite_decimal(value))
    if isinstance(value, dict):
        return {_plain_key(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # any mapping
    if isinstance(value, list):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # any items
    cls: type[Any] = value.__class__
    if hasattr(cls, "__pydantic_serializer__"):
        return _plain(value.__pydantic_serializer__.to_python(value))
    if hasattr(cls, "__struct_fields__"):
        return _plain({name: getattr(value, name) for name in value.__struct_fields__})
    if dataclasses.is_dataclass(cls):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    try:
        shallow = _shallow(value)
    except ChunkEncodingError:
        return json.loads(orjson.dumps(value, _default, _ANY_KEYS))  # datetime, UUID and their like
    return _plain(shallow)


def _plain_key(key: Any) -> Any:
    return key if isinstance(key, str) else json.loads(orjson.dumps({key: 0}, None, _ANY_KEYS)).popitem()[0]
