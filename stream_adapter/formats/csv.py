"""Comma-separated values (RFC 4180), by the standard library's writer."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from copy import copy
from enum import Enum
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

from stream_adapter._encode import ChunkTable, Encode, explain
from stream_adapter._nan import careful_reader_of
from stream_adapter._records import check_distinct, has_columns
from stream_adapter._remedies import is_frame, is_proxy, is_series, name_of, remedy_for
from stream_adapter._text import is_text
from stream_adapter.errors import ChunkEncodingError, ChunkValueError

from ._base import Format, FormatEncoder
from ._cells import CellTable

__all__ = ["CSV", "Dialect", "Extras"]

Dialect: TypeAlias = str | csv.Dialect | type[csv.Dialect]
Extras: TypeAlias = Literal["raise", "ignore"]


class _Echo:
    """The file of a `csv.writer` whose `writerow` shall return the line: it returns what the file's `write` does."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write


class CSV(Format):
    """One row per item: a sequence, or a mapping or record, whose values are put into the order of the columns.

    Mappings, dataclasses, named tuples and models name their columns: the first of them makes the header line, unless
    one is given. Sequences have a header line only if it is given. Only the broken connection shows that a stream
    failed: CSV has no end that could be missing. A block may be filled before it is sent.

    Args:
        header: see `stream_adapter.csv`, which describes all of them.

    Raises:
        ValueError: an option has a value that is not allowed.
        TypeError: an option is of the wrong type.
    """

    media_type: str = "text/csv"
    bulk: bool = True

    def __init__(
        self,
        header: Iterable[object] | Literal[False] | None = None,
        *,
        dialect: Dialect = "excel",
        bom: bool = False,
        filename: str | None = None,
        escape_formulas: bool = False,
        extras: Extras = "raise",
    ) -> None:
        self.columns: tuple[object, ...] | None = _check_header(header)
        self.has_header: bool = header is not False
        self.dialect: Dialect = _check_dialect(dialect)
        self.bom: bool = bom
        self.escape_formulas: bool = escape_formulas
        if extras not in {"raise", "ignore"}:
            raise ValueError(f"extras: expected 'raise' or 'ignore', got {extras!r}")
        self.extras: Extras = extras
        if header is not None:  # otherwise the first row decides it
            self.media_type: str = f"text/csv; header={'present' if self.has_header else 'absent'}"
        if filename is not None:
            from stream_adapter._disposition import content_disposition  # noqa: PLC0415  # it imports Werkzeug

            self.headers: Mapping[str, str] = MappingProxyType(
                {"Content-Disposition": content_disposition("attachment", filename)}
            )

    def encode(self, item: Any) -> bytes:
        """Encode one row, as the first of a stream."""
        return self.encoder(strict=False, charset="utf-8").encode_first(item)

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream.

        Raises:
            ValueError: the charset has no byte order mark, or cannot encode the header.
        """
        del strict
        return _CSVEncoder(self, charset)


class _CSVEncoder(FormatEncoder):
    """The encoder of one stream, whose first row may decide the columns."""

    __slots__ = ("_cells", "_columns", "_csv", "_is_headless", "_text", "_values", "_width", "_write_row")

    def __init__(self, csv_format: CSV, charset: str) -> None:
        self._csv = csv_format
        self._cells = CellTable(escape_formulas=csv_format.escape_formulas)
        self._text = codecs.getincrementalencoder(charset)()
        echo = _Echo(str.encode if charset == "utf-8" else self._text.encode)
        self._write_row: Callable[[Collection[object]], bytes] = csv.writer(echo, csv_format.dialect).writerow
        self._columns: tuple[object, ...] | None = None
        self._values: Callable[[Any], tuple[object, ...]] = tuple
        self._width = -1
        self._is_headless = False  # the first row was a sequence, and no columns were given
        super().__init__(copy(csv_format), ChunkTable(self._function))
        self.format.prefix = self._opening(charset)

    def _write(self, values: Collection[object]) -> bytes:
        """Encode a row, whatever its values are."""
        as_they_are = self._cells.as_they_are
        for value in values:  # a loop, for `all` takes twice as long
            if type(value) not in as_they_are:
                return self._write_converted(values)
        return self._write_row(values)

    def _write_converted(self, values: Collection[object]) -> bytes:
        """Encode a row with values that are not cells as they are."""
        table, as_they_are = self._cells, self._cells.as_they_are
        try:
            cells = [value if type(value) in as_they_are else table[type(value)](value) for value in values]
            return self._write_row(cells)
        except ChunkEncodingError:
            self._name_column(values)
            raise

    def _opening(self, charset: str) -> bytes:
        opening = b""
        if self._csv.bom and not "".encode(charset):  # UTF-16 and its like bring their own
            try:
                opening = self._text.encode("\ufeff")
            except UnicodeEncodeError:
                raise ValueError(f"bom: the charset {charset} has no byte order mark") from None
        if self._csv.columns is not None:
            try:
                opening += self._set_columns(self._csv.columns)
            except UnicodeEncodeError as error:
                raise ValueError(f"header: {explain(error, self._csv.columns, None)}") from error
        return opening

    def _set_columns(self, columns: tuple[object, ...]) -> bytes:
        """Decide the columns, and return the header line."""
        get = itemgetter(*columns)
        self._columns = columns
        self._values = get if len(columns) > 1 else lambda row: (get(row),)
        self._width = len(columns)
        return self._write(columns) if self._csv.has_header else b""

    def _function(self, cls: type[Any]) -> Encode:
        """Return how a row of type `cls` is encoded."""
        read = careful_reader_of(cls)
        if has_columns(cls):
            read = None  # it has them at hand, and is read by name
        elif _is_dict_of_its_own(cls):
            read = dict  # what it holds, as the JSON formats write it
        if read is not None or has_columns(cls) or issubclass(cls, Mapping):
            if self._is_headless:
                return _refuse_after_sequences
            encode = self._keyed_encode()
            return encode if read is None else lambda record: encode(read(record))
        if not _has_order(cls):
            return _refuse
        if self._columns is None:
            self._is_headless = True
            return self._write
        return self._encode_sequence

    def _keyed_encode(self) -> Encode:
        """Return how a row that names its columns is encoded. The hot part: most rows are even, and need no change."""
        width, values, write_row = self._width, self._values, self._write_row
        as_they_are = self._cells.as_they_are

        def encode(row: Any) -> bytes:
            nonlocal width, values
            if len(row) == width:
                try:
                    cells = values(row)
                except (KeyError, IndexError):
                    return self._encode_uneven(row)
                for cell in cells:
                    if type(cell) not in as_they_are:
                        return self._write_converted(cells)
                return write_row(cells)
            line = self._encode_uneven(row)
            width, values = self._width, self._values  # which the first row decides
            return line

        return encode

    def _encode_uneven(self, row: Any) -> bytes:
        """Encode the first row that names the columns, or one that names others."""
        keys = tuple(row.keys())
        if self._columns is None:
            if not keys:
                raise ChunkValueError(f"expected a row with columns, got an empty {name_of(row.__class__)}")
            check_distinct(self._texts(keys), row)
            return self._set_columns(keys) + self._write(self._values(row))
        missing = [name for name in self._columns if name not in keys]
        unexpected = [name for name in keys if name not in self._columns]
        if self._csv.extras == "raise" and (missing or unexpected):
            raise ChunkValueError(
                f"expected a row of the columns {_list(self._columns)}; {_uneven(missing, unexpected)}"
            )
        return self._write([None if name in missing else row[name] for name in self._columns])

    def _texts(self, keys: tuple[object, ...]) -> list[str]:
        """Return the names as the header has them: 1 and "1" are the same there, and a header has both as text."""
        try:
            return ["" if key is None else str(self._cells[type(key)](key)) for key in keys]
        except ChunkEncodingError:
            self._name_column(keys)
            raise

    def _encode_sequence(self, row: Collection[object]) -> bytes:
        excess = len(row) - self._width
        if not excess:
            return self._write(row)
        if self._csv.extras == "raise":
            raise ChunkValueError(f"expected a row of {self._width} cells, as the header has, got {len(row)}")
        return self._write([*row, *[None] * -excess][: self._width])

    def _name_column(self, values: Collection[object]) -> None:
        """Raise what is wrong with a row, naming the column."""
        for place, value in enumerate(values):
            try:
                self._cells[type(value)](value)
            except ChunkEncodingError as error:
                name = place if self._columns is None else repr(self._columns[place])
                raise type(error)(f"column {name}: {error}") from error.__cause__

    def explain(self, error: BaseException, item: object, index: int | None = None) -> BaseException:
        """Return an error that names the row and the reason."""
        if isinstance(error, csv.Error):
            problem = ChunkValueError(f"the dialect cannot write it: {error}", index=index)
            problem.__cause__ = error
            return problem
        return super().explain(error, item, index)

    def finish(self) -> bytes:
        """Return what the charset still owes at the end of the text."""
        return self._text.encode("", final=True)


def _is_dict_of_its_own(cls: type[Any]) -> bool:
    """Return True for a dict that may return another value than it holds: a Counter, one of several values each."""
    reads: object = getattr(cls, "__getitem__", None)
    return (hasattr(cls, "__missing__") or reads is not dict.__getitem__) and issubclass(cls, dict)  # pyright: ignore[reportUnknownMemberType]  # of any keys


def _has_order(cls: type[Any]) -> bool:
    if is_text(cls) or is_frame(cls) or is_series(cls) or is_proxy(cls) or issubclass(cls, Enum):
        return False
    return issubclass(cls, Collection) and not issubclass(cls, (bytes, bytearray, memoryview, AbstractSet))


def _refuse(row: object) -> bytes:
    got = name_of(type(row)) + ("; leave it out" if row is None else remedy_for(row))
    raise ChunkEncodingError(f"expected a row: a sequence, mapping or record, got {got}")


def _refuse_after_sequences(row: object) -> bytes:
    raise ChunkEncodingError(f"expected a sequence, as the first row was one, got {name_of(type(row))}")


def _list(names: Iterable[object]) -> str:
    return ", ".join(map(repr, names))


def _uneven(missing: list[object], unexpected: list[object]) -> str:
    parts = [("missing", missing), ("unexpected", unexpected)]
    return ", ".join(f"{what} {_list(names)}" for what, names in parts if names)


def _check_header(header: Any) -> tuple[object, ...] | None:
    if header is None or header is False:
        return None
    if isinstance(header, (str, bytes)) or not isinstance(header, Iterable):
        raise TypeError(f"header: expected the columns' names, None or False, got {header!r}")
    columns = tuple(cast("Iterable[object]", header))
    if not columns:
        raise ValueError("header: expected at least one column, got none")
    return columns


def _check_dialect(dialect: Any) -> Dialect:
    try:
        csv.writer(_Echo(str), dialect)
    except (csv.Error, TypeError) as error:
        known = ", ".join(map(repr, csv.list_dialects()))
        raise ValueError(f"dialect: expected {known} or a csv.Dialect, got {dialect!r} ({error})") from error
    checked: Dialect = dialect
    return checked
