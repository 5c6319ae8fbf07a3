"""One value → one cell: what `csv.writer` may be given, because the text it makes of that is right.

Text is itself and None is empty; numbers, truth values, moments and the rest are what the chunk table makes of them, a
JSON string without its quotes. `csv.writer` by itself would send `<object at 0x…>` and `b'bytes'` to clients.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, TypeAlias, cast

from stream_adapter._encode import encode_chunk, kind_of
from stream_adapter._json import dump_json
from stream_adapter.errors import ChunkEncodingError

__all__ = ["AS_THEY_ARE", "cell_of", "defuse"]

_Convert: TypeAlias = Callable[[Any], object]

AS_THEY_ARE = frozenset({str, int, float, NoneType})
"""The types whose cells need no conversion, if no float is a NaN or an infinity."""

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  # spreadsheets take the full-width ones too


def cell_of(value: object) -> object:
    """Return the cell of one value.

    Raises:
        ChunkEncodingError: it is nothing that has a text.
        ChunkValueError: it is a NaN or an infinity.
    """
    return _convert(type(value))(value)


def defuse(cell: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run as a formula (OWASP, CSV injection)."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _convert_of(cls: type[Any]) -> _Convert:
    if issubclass(cls, Enum):
        return lambda member: cell_of(member.value)
    if cls is NoneType:
        return lambda _: None
    kind = kind_of(cls)
    if kind == "text":
        return str.__str__
    if kind == "number":
        return _decimal if issubclass(cls, Decimal) else _number
    if kind == "json" or issubclass(cls, AbstractSet):
        return _json_text
    return _refuse


_convert = cast("Callable[[type[Any]], _Convert]", lru_cache(maxsize=1024)(_convert_of))


def _number(value: float) -> object:
    encode_chunk(value)  # which refuses what is not finite
    return int(value) if isinstance(value, int) else float(value)


def _decimal(value: Decimal) -> object:
    encode_chunk(value)
    return value


def _json_text(value: object) -> str:
    text = dump_json(value).decode()
    return str(json.loads(text)) if text[0] == '"' else text


def _refuse(value: object) -> object:
    raise ChunkEncodingError(f"expected text, a number, None or a JSON value, got {type(value).__name__}")
