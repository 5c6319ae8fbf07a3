"""One value → one cell, as a value that `csv.writer` writes correctly.

Text is itself, None is empty, and True is what Python calls it; numbers, moments and the rest are what the chunk table
makes of them, a JSON string without its quotes. `csv.writer` by itself sends `<object at 0x…>` and `b"bytes"`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, TypeAlias

from stream_adapter._encode import encode_chunk, kind_of
from stream_adapter._json import dump_json
from stream_adapter._remedies import name_of, remedy_for
from stream_adapter._text import is_late
from stream_adapter.errors import ChunkEncodingError

__all__ = ["CellTable"]

_Convert: TypeAlias = Callable[[Any], object]

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  # spreadsheets take the full-width ones too
_UNSEEN = "\ufeff\u200b\u200c\u200d\u2060\0"  # a byte order mark is dropped from a file's first cell, for one
_SUSPICIOUS = frozenset({*_FORMULA, *_UNSEEN})  # first characters: most text has another, and is looked at once


class CellTable(dict[type, _Convert]):
    """Type → how a value of exactly that type becomes a cell. Fills itself.

    Args:
        escape_formulas: whether text that a spreadsheet would run is defused.

    Attributes:
        as_they_are: the types whose values are cells already.
    """

    __slots__ = ("_escape", "as_they_are")

    def __init__(self, *, escape_formulas: bool) -> None:
        super().__init__()
        self._escape = escape_formulas
        self.as_they_are: frozenset[type] = frozenset({bool, int, NoneType} | (set() if escape_formulas else {str}))

    def __missing__(self, cls: type) -> _Convert:
        convert = _convert_of(cls)
        if self._escape:
            convert = _defused(convert)
        self[cls] = convert
        return convert


def _defused(convert: _Convert) -> _Convert:
    """Put an apostrophe before text that a spreadsheet would run as a formula (OWASP, CSV injection)."""

    def convert_and_defuse(value: object) -> object:
        cell = convert(value)
        return f"'{cell}" if isinstance(cell, str) and _is_formula(cell) else cell

    return convert_and_defuse


def _is_formula(text: str) -> bool:
    return text[:1] in _SUSPICIOUS and text.lstrip(_UNSEEN).startswith(_FORMULA)


def _convert_of(cls: type[Any]) -> _Convert:  # a table in the order in which its rows are tried
    if issubclass(cls, Enum):
        return _member_value
    if cls is NoneType or cls is bool:
        return lambda value: value
    kind = kind_of(cls)
    if kind == "text":
        return str if is_late(cls) else str.__str__
    if kind == "number":
        return int.__int__ if issubclass(cls, int) else _float if issubclass(cls, float) else _decimal
    if kind == "json" or issubclass(cls, AbstractSet):
        return _json_text
    return _refuse


def _member_value(member: Enum) -> object:
    value: Any = member.value
    return _convert_of(value.__class__)(value)


def _float(value: float) -> float:
    if not math.isfinite(value):
        encode_chunk(value)  # refuses it
    return value if type(value) is float else float.__float__(value)


def _decimal(value: Decimal) -> Decimal:
    if not value.is_finite():
        encode_chunk(value)  # refuses it
    return value


def _json_text(value: object) -> str:
    text = dump_json(value).decode()
    if text[0] != '"':
        return text
    return str(json.loads(text)) if "\\" in text else text[1:-1]


def _refuse(value: object) -> object:
    raise ChunkEncodingError(
        f"expected text, a number, None or a JSON value, got {name_of(type(value))}{remedy_for(value)}"
    )
