"""One value → bytes: the chunk table. It has no I/O, and no state except that of a text encoder.

A table maps a type to the function that encodes exactly that type, so that the loop over a source is one look-up and
one call per chunk, most often a call into C. A type that is not in the table is resolved once, by what it derives from.
The functions may raise whatever the codec raises; `explain` turns that into an error that names the chunk.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, TypeAlias, cast
from uuid import UUID

from ._json import dump_json
from ._records import is_record
from ._remedies import name_of, remedy_for
from ._text import is_late, is_text
from .errors import ChunkEncodingError, ChunkValueError, StrictEncodingError

__all__ = [
    "BUILTIN_KINDS",
    "ChunkTable",
    "Encode",
    "Kind",
    "check_charset",
    "encode_chunk",
    "explain",
    "kind_of",
    "utf8_function",
]

Encode: TypeAlias = Callable[[Any], bytes]
Kind: TypeAlias = Literal["bytes", "text", "number", "json"]

_MOST_TYPES = 256  # in a table: one may outlive its streams, and a type is not to be held for that long
_EXPECTED = "expected bytes, text, number or JSON value"


def _kind_of(cls: type[Any]) -> Kind | None:
    """Return the row of the chunk table that holds instances of `cls`; None if none does."""
    if issubclass(cls, (bytes, bytearray, memoryview)):
        return "bytes"
    if issubclass(cls, (Enum, bool)):
        return "json"
    if is_text(cls):
        return "text"
    if issubclass(cls, (int, float, Decimal)):
        return "number"
    if issubclass(cls, (Mapping, list, tuple, date, time, timedelta, UUID)) or is_record(cls):
        return "json"
    return None


kind_of: Callable[[type[Any]], Kind | None] = cast(
    "Callable[[type[Any]], Kind | None]", lru_cache(maxsize=1024)(_kind_of)
)

BUILTIN_KINDS: Mapping[type, Kind | None] = {
    cls: _kind_of(cls) for cls in (bytes, bytearray, memoryview, str, int, float, bool, Decimal, dict, list, tuple)
}
"""The rows of the types that most chunks have, without a look at what they derive from."""


class ChunkTable(dict[type, Encode]):
    """Type → how a value of exactly that type becomes bytes. Fills itself.

    Args:
        resolve: returns the function for a type that is not in the table yet.
        flush: returns the bytes that a text encoder must write at the end of the text; None if there are never any.
    """

    __slots__ = ("_flush", "_resolve")

    def __init__(self, resolve: Callable[[type], Encode], flush: Callable[[], bytes] | None = None) -> None:
        self._resolve = resolve
        self._flush = flush

    def __missing__(self, cls: type) -> Encode:
        if len(self) >= _MOST_TYPES:
            self.clear()
        encode = self[cls] = self._resolve(cls)
        return encode

    @classmethod
    def of_chunks(cls, *, strict: bool, charset: str) -> ChunkTable:
        """Make the table of one byte stream; a multi-byte charset keeps its state in it."""
        if strict:
            return cls(_strict)
        if charset == "utf-8":
            return cls(utf8_function)
        text = codecs.getincrementalencoder(charset)().encode
        by_kind: dict[Kind | None, Encode] = {
            "bytes": bytes,
            "text": text,
            "number": lambda value: text(_number(value).decode()),
            "json": lambda value: text(dump_json(value).decode()),
            None: _refuse,
        }
        late_text: Encode = lambda value: text(str(value))  # noqa: E731  # a row of the table
        return cls(
            lambda chunk_type: late_text if is_late(chunk_type) else by_kind[kind_of(chunk_type)],
            flush=lambda: text("", final=True),
        )

    def finish(self) -> bytes:
        """Return the bytes with which the charset returns to its initial state at the end of the text."""
        return b"" if self._flush is None else self._flush()


def _number(value: float | Decimal) -> bytes:
    if isinstance(value, int):
        return b"%d" % value
    text = float.__repr__(value) if isinstance(value, float) else Decimal.__str__(value)
    if text[-1] in "fnyN":  # inf, nan, Infinity, NaN
        raise ChunkValueError(f"expected a finite number, got {text}")
    return text.encode()


def _late_text(value: object) -> bytes:
    return str(value).encode()


def _refuse(value: object) -> bytes:
    raise ChunkEncodingError(f"{_EXPECTED}, got {name_of(type(value))}{remedy_for(value)}")


def _refuse_strictly(value: object) -> bytes:
    cls: type = type(value)
    kind = kind_of(cls)
    text = "str(value)" if is_late(cls) else "value"
    remedy = {"text": f"yield {text}.encode() instead", "number": "yield str(value).encode() instead"}.get(
        kind or "", "yield json.dumps(value).encode() instead" if kind else ""
    )
    problem = f"strict mode takes bytes, got {name_of(type(value))}"
    raise StrictEncodingError(f"{problem}; {remedy}" if remedy else f"{problem}{remedy_for(value)}")


def _strict(cls: type) -> Encode:
    return _octets(cls) if kind_of(cls) == "bytes" else _refuse_strictly


def _octets(cls: type) -> Encode:
    """Return the function that converts a `cls` to exactly bytes; for bytes, calling `bytes` is eight times as slow."""
    return bytes.__bytes__ if issubclass(cls, bytes) else bytes


def _utf8(cls: type) -> Encode:
    by_kind: dict[Kind | None, Encode] = {
        "bytes": _octets(cls),
        "text": _late_text if is_late(cls) else str.encode,
        "number": _number,
        "json": dump_json,
        None: _refuse,
    }
    return by_kind[kind_of(cls)]


class _KindTable(dict[type, Encode]):
    """The builtin types, resolved when the module is imported; each stream's table resolves any other for itself."""

    def __missing__(self, cls: type) -> Encode:
        return _utf8(cls)


utf8_function: Callable[[type], Encode] = _KindTable({cls: _utf8(cls) for cls in BUILTIN_KINDS}).__getitem__
"""Return how a chunk of a type becomes bytes, where text is UTF-8: without a state."""


def explain(error: BaseException, value: object, index: int | None) -> ChunkEncodingError:
    """Turn what an encode function raised for chunk `index` into an error that names the chunk."""
    if isinstance(error, ChunkEncodingError):
        if error.index is None:
            error.index = index
        return error
    if isinstance(error, UnicodeEncodeError):
        bad = error.object[error.start : error.start + 1]
        if "\ud800" <= bad <= "\udfff":
            problem: ChunkEncodingError = ChunkValueError(
                f"expected text, got a lone surrogate at position {error.start}", index=index
            )
        else:
            problem = ChunkValueError(f"charset {error.encoding} cannot encode {bad!r}", index=index)
    else:
        problem = ChunkValueError(f"{_EXPECTED}, got {name_of(type(value))} ({error})", index=index)
    problem.__cause__ = error
    return problem


def check_charset(charset: object) -> str:
    """Return the codec's own name for `charset`.

    Raises:
        ValueError: no text encoding has that name.
        TypeError: it is not text.
    """
    if charset == "utf-8":
        return "utf-8"
    if not isinstance(charset, str):
        raise TypeError(f"charset: expected the name of a text encoding, got {type(charset).__name__}")
    try:
        "".encode(charset)
        return codecs.lookup(charset).name
    except (LookupError, ValueError):
        raise ValueError(f"charset: expected the name of a text encoding, got {charset!r}") from None


def encode_chunk(value: object, *, strict: bool = False, charset: str = "utf-8") -> bytes:
    """Turn one chunk into bytes.

    Args:
        value: bytes, bytearray and memoryview pass; text is encoded; a number becomes its text; bool, mapping, list,
            tuple, dataclass, model, datetime, UUID and Enum become compact JSON.
        strict: take bytes, bytearray and memoryview only.
        charset: the encoding of text.

    Raises:
        ChunkEncodingError: the value is of no such type.
        ChunkValueError: it cannot be sent: NaN, a lone surrogate.
        StrictEncodingError: strict, and the value is not bytes.
        ValueError: no text encoding is called `charset`.
    """
    table = ChunkTable.of_chunks(strict=strict, charset=check_charset(charset))
    try:
        return table[type(value)](value) + table.finish()
    except Exception as error:  # noqa: BLE001  # whatever a codec raises is about the value
        problem = explain(error, value, None)
        raise problem from problem.__cause__
