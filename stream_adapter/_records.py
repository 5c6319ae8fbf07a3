"""Classes whose instances are records, with named fields: dataclass, Pydantic, msgspec, attrs, named tuple."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeAlias, cast

__all__ = ["Reader", "is_model", "reader_of"]

Reader: TypeAlias = Callable[[Any], dict[Any, Any]]

_MARKS = ("__dataclass_fields__", "__pydantic_serializer__", "__struct_fields__", "__attrs_attrs__")


def is_model(cls: type[Any]) -> bool:
    """Whether instances become a JSON object: dataclass, Pydantic, msgspec, attrs. A named tuple becomes an array."""
    return any(hasattr(cls, mark) for mark in _MARKS)


def _reader_of(cls: type[Any]) -> Reader | None:
    """Return the function that reads the fields of an instance into a dict; None if `cls` has no named fields."""
    if hasattr(cls, "__pydantic_serializer__"):
        return cast("Reader", cls.__pydantic_serializer__.to_python)
    if hasattr(cls, "__struct_fields__"):
        return _attribute_reader(zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True))
    if dataclasses.is_dataclass(cls):
        return _attribute_reader((field.name, field.name) for field in dataclasses.fields(cls))
    if hasattr(cls, "__attrs_attrs__"):
        return _attribute_reader((field.name, field.name) for field in cls.__attrs_attrs__)
    if tuple in cls.__mro__ and hasattr(cls, "_fields"):
        return _attribute_reader((name, name) for name in cls._fields)
    return None


def _attribute_reader(named: Iterable[tuple[str, str]]) -> Reader:
    fields = tuple(named)
    return lambda record: {name: getattr(record, attribute) for name, attribute in fields}


reader_of = cast("Callable[[type[Any]], Reader | None]", lru_cache(maxsize=1024)(_reader_of))
