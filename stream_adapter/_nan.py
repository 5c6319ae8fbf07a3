"""NaN and infinities, which JSON does not have: orjson, msgspec and Pydantic write them as `null`.

A value that was written with a `null` is searched for them, for None is written so, too. Models have serializers of
their own: what these leave out, or write as text (`ser_json_inf_nan="strings"`), was not lost.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any, TypeGuard, cast
from uuid import UUID

import orjson

from ._json_values import STAND_INS, not_finite
from ._records import Reader, reader_of
from ._remedies import name_of
from .errors import ChunkEncodingError, ChunkValueError

__all__ = ["careful_reader_of", "refuse_nan"]

_NEVER_NAN = frozenset({str, int, bool, NoneType, UUID, datetime, date, time, timedelta, Decimal})
_SEQUENCES = (list, tuple, set, frozenset, deque)


def refuse_nan(value: Any) -> None:  # noqa: C901  # a table, in order
    """Look through a value that was written with a `null`.

    Raises:
        ChunkValueError: it holds a NaN or an infinity that was written as `null`.
    """
    cls: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]  # of anything
    if cls in _NEVER_NAN:
        return
    if cls is float:
        if not math.isfinite(value):
            raise not_finite(repr(value))
    elif cls is dict or cls is list or cls is tuple:
        for item in value.values() if cls is dict else value:
            if type(item) not in _NEVER_NAN:  # most are: a call for each costs more than all else
                refuse_nan(item)
    elif hasattr(cls, "__pydantic_serializer__"):
        _refuse_nan_of_model(cls, value)
    elif hasattr(cls, "__struct_fields__"):
        for name in cls.__struct_fields__:
            refuse_nan(getattr(value, name))
    elif cls is not orjson.Fragment:
        _refuse_nan_of_another(value)


def _refuse_nan_of_another(value: Any) -> None:
    try:
        simpler = STAND_INS[type(value)](value)
    except ChunkValueError:
        raise
    except ChunkEncodingError:  # bytes in a Struct, for one: only the model around it writes them
        return
    refuse_nan(simpler)


def careful_reader_of(cls: type[Any]) -> Reader | None:
    """Return the function that reads a record into a dict where None is not a NaN; None if its parts have no names."""
    read = reader_of(cls)
    if read is None or not hasattr(cls, "__pydantic_serializer__") or not _makes_none_of_nan(cls):
        return read

    def read_model(model: Any) -> dict[Any, Any]:
        record: object = read(model)
        if not _is_dict(record):
            got = f"{name_of(cls)}, whose serializer makes {name_of(record.__class__)} of it"
            raise ChunkEncodingError(f"expected a row: a sequence, mapping or record, got {got}")
        _refuse_nan_of_model(cls, model)
        return record

    return read_model


def _is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    return isinstance(value, dict)


def _refuse_nan_of_model(cls: type[Any], model: Any) -> None:
    serializer = cls.__pydantic_serializer__
    fields = serializer.to_python(model, mode="python" if _makes_none_of_nan(cls) else "json")
    nan = _nan_in(fields.values() if fields.__class__ is dict else (fields,))
    if nan is not None and _hides_nan(fields, json.loads(serializer.to_json(model))):
        raise not_finite(repr(nan))


# the types of pydantic_core.core_schema that are written as what they are, and those that must say what they hold
_TYPED = frozenset(
    [
        "model",
        "model-fields",
        "model-field",
        "dataclass",
        "dataclass-args",
        "dataclass-field",
        "computed-field",
        "definitions",
        "definition-ref",
        "default",
        "nullable",
        "union",
        "tagged-union",
        "literal",
        "enum",
        "none",
        "bool",
        "int",
        "float",
        "decimal",
        "str",
        "bytes",
        "date",
        "time",
        "datetime",
        "timedelta",
        "uuid",
        "url",
        "multi-host-url",
        "function-before",
        "function-after",
        "function-wrap",
    ]
)
_ITEMS = {"list": "items_schema", "set": "items_schema", "tuple": "items_schema", "dict": "values_schema"}


def _loses_nan(cls: type[Any]) -> bool:
    schema: object = cls.__pydantic_core_schema__
    # a serializer for the mode "json" alone may make None of a NaN on purpose
    return _holds(schema, _is_untyped) and not _holds(schema, _serializes_for_json)


_makes_none_of_nan = cast("Callable[[type[Any]], bool]", lru_cache(maxsize=1024)(_loses_nan))


def _holds(schema: object, is_it: Callable[[dict[Any, Any]], bool]) -> bool:
    if _is_dict(schema):
        return is_it(schema) or any(_holds(part, is_it) for part in schema.values())
    return isinstance(schema, (list, tuple)) and any(_holds(part, is_it) for part in cast("Iterable[object]", schema))


def _is_untyped(schema: dict[Any, Any]) -> bool:
    kind = str(schema.get("type", "model"))  # a default or the metadata may hold any dict
    is_open = "allow" in (schema.get("extra_behavior"), schema.get("extra_fields_behavior"))
    return is_open or (kind not in _TYPED and _ITEMS.get(kind) not in schema)


def _serializes_for_json(schema: dict[Any, Any]) -> bool:
    return str(schema.get("when_used")).startswith("json")


def _nan_in(values: Iterable[Any]) -> float | None:
    """Return the first NaN or infinity among what a serializer made; otherwise None."""
    for value in values:
        if value.__class__ in _NEVER_NAN:
            continue
        if isinstance(value, float):
            if not math.isfinite(value):
                return value
        elif (parts := _parts_of(value)) is not None and (nan := _nan_in(parts)) is not None:
            return nan
    return None


def _hides_nan(fields: Any, written: Any) -> bool:
    """Return True if a NaN among the fields is null in what was written of them."""
    if isinstance(fields, float):
        return written is None and not math.isfinite(fields)
    values, others = _parts_of(fields), _parts_of(written)
    if values is None or others is None or _is_dict(fields) is not _is_dict(written):
        return False
    return any(map(_hides_nan, values, others))


def _parts_of(value: Any) -> Iterable[Any] | None:
    if _is_dict(value):
        return value.values()
    return value if isinstance(value, _SEQUENCES) else None  # pyright: ignore[reportUnknownVariableType]  # of anything
