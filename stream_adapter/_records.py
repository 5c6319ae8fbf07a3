"""Records: values with named parts. Recognize them, and convert one to a dict, the same way for every format.

Models (dataclass, Pydantic, msgspec, attrs) have fields. Rows of databases have columns: named tuples and what is made
like them (SQLAlchemy's Row) by `_fields`; sqlite3.Row, asyncpg's Record and their like by `keys()`. Mappings are
records by themselves.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias, cast

from ._remedies import name_of
from .errors import ChunkValueError

__all__ = ["Reader", "check_distinct", "has_columns", "is_record", "iterates_itself", "reader_of"]

Reader: TypeAlias = Callable[[Any], dict[Any, Any]]

_MARKS = ("__dataclass_fields__", "__pydantic_serializer__", "__struct_fields__", "__attrs_attrs__")
_STREAMS = ("__next__", "__anext__", "__aiter__")


def is_record(cls: type[Any]) -> bool:
    """Return True if instances become a JSON object. A class that is iterated as a stream does not, whatever it has."""
    return (_is_model(cls) or _has_fields(cls) or has_columns(cls)) and not any(hasattr(cls, name) for name in _STREAMS)


def iterates_itself(cls: type[Any]) -> bool:
    """Return True for a model that is a source: one that writes an `__iter__`. Pydantic's BaseModel has one for all."""
    is_plain = any(hasattr(cls, mark) for mark in _MARKS) and not hasattr(cls, "__pydantic_root_model__")
    return is_plain and hasattr(cls, "__iter__") and not issubclass(cls, (Mapping, Sequence))


def _is_model(cls: type[Any]) -> bool:
    return any(hasattr(cls, mark) for mark in _MARKS)


def _has_fields(cls: type[Any]) -> bool:
    return hasattr(cls, "_fields") and issubclass(cls, Sequence)


def has_columns(cls: type[Any]) -> bool:
    """Return True for rows that know their columns and are not mappings. A table, which has a shape, is not a row."""
    has_both = hasattr(cls, "keys") and hasattr(cls, "__getitem__")
    return has_both and not issubclass(cls, Mapping) and not hasattr(cls, "shape")


def _reader_of(cls: type[Any]) -> Reader | None:  # noqa: PLR0911  # a table, in order
    """Return the function that reads an instance into a dict; None if its parts have no names."""
    if hasattr(cls, "__pydantic_serializer__"):
        return None if _is_root_model(cls) else partial(cls.__pydantic_serializer__.to_python, mode="json")
    if hasattr(cls, "__struct_fields__"):
        config = cls.__struct_config__
        if config.array_like or config.omit_defaults:  # what msgspec makes of these has not all the columns
            return _attribute_reader(cls, zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True))
        return cast("Reader", sys.modules["msgspec"].to_builtins)
    if issubclass(cls, Mapping):
        return None if issubclass(cls, dict) else _read_keys
    if dataclasses.is_dataclass(cls):
        return _attribute_reader(cls, ((field.name, field.name) for field in dataclasses.fields(cls)))
    if hasattr(cls, "__attrs_attrs__"):
        return _attribute_reader(cls, ((field.name, field.name) for field in cls.__attrs_attrs__))
    if _has_fields(cls):
        return _read_fields
    return _read_keys if has_columns(cls) else None


def _is_root_model(cls: type[Any]) -> bool:
    return bool(getattr(cls, "__pydantic_root_model__", False))


def _attribute_reader(cls: type[Any], named: Iterable[tuple[str, str]]) -> Reader:
    fields = tuple(named)

    def read(record: Any) -> dict[Any, Any]:
        try:
            return {name: getattr(record, attribute) for name, attribute in fields}
        except AttributeError as error:
            missing = next((name for name, attribute in fields if not hasattr(record, attribute)), None)
            raise ChunkValueError(f"{name_of(cls)}: expected a value for the field {missing!r}, got none") from error

    return read


def _read_fields(row: Any) -> dict[Any, Any]:
    names = row._fields  # public, and so named lest it be a column
    check_distinct(names, row)
    return dict(zip(names, row, strict=True))


def _read_keys(row: Any) -> dict[Any, Any]:
    names = list(row.keys())
    check_distinct(names, row)
    return {name: row[name] for name in names}


def check_distinct(names: Sequence[object], row: object) -> None:
    """Refuse columns of the same name: an object or a header could keep only one of them.

    Raises:
        ChunkValueError: a name is there twice.
    """
    if len(set(names)) != len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ChunkValueError(
            f"{name_of(type(row))}: expected columns of different names, got {twice!r} twice; rename one (AS)"
        )


reader_of = cast("Callable[[type[Any]], Reader | None]", lru_cache(maxsize=1024)(_reader_of))
