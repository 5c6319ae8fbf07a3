"""CSV (RFC 4180): rows of every kind, their header, their cells, and what is refused."""

from __future__ import annotations

import csv
import dataclasses
import io
import sqlite3
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from stream_adapter.formats import CSV
from tests.core.test_chunk_table import IDENTITY, MOMENT, Colour, Level
from tests.support.interfaces import Call, call_wsgi, either_interface, four_paths
from tests.support.sources import in_way


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


class Named(NamedTuple):
    id: int
    name: str


@dataclasses.dataclass
class Record:
    id: int
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    id: int
    name: str


class Model(pydantic.BaseModel):
    id: int
    name: str


class Struct(msgspec.Struct, rename={"identity": "id"}):
    identity: int
    name: str


@attrs.define
class Attrs:
    id: int
    name: str


class CSVPipe(csv.excel):
    delimiter = "|"


ROWS: list[tuple[Callable[[int, str], object], bytes]] = [
    (lambda number, name: [number, name], b""),
    (lambda number, name: (number, name), b""),
    (lambda number, name: {number: number, name: name}.values(), b""),
    (lambda number, name: {"id": number, "name": name}, b"id,name\r\n"),
    (lambda number, name: OrderedDict[str, object](id=number, name=name), b"id,name\r\n"),
    (Named, b"id,name\r\n"),
    (Record, b"id,name\r\n"),
    (Slotted, b"id,name\r\n"),
    (lambda number, name: Model(id=number, name=name), b"id,name\r\n"),
    (Struct, b"id,name\r\n"),
    (Attrs, b"id,name\r\n"),
]
KINDS = [
    "list",
    "tuple",
    "view",
    "dict",
    "OrderedDict",
    "named tuple",
    "dataclass",
    "slots",
    "Pydantic",
    "msgspec",
    "attrs",
]
CELLS = b'1,a\r\n2,"b, c"\r\n'


@four_paths
@pytest.mark.parametrize(("make", "header"), ROWS, ids=KINDS)
def test_each_kind_of_row_becomes_a_line_of_csv(
    make: Callable[[int, str], object], header: bytes, way: str, call: Call
) -> None:
    answer = call(sa.csv(in_way(way, [make(1, "a"), make(2, "b, c")])))
    assert answer.body == header + CELLS
    assert answer.complete


@pytest.mark.parametrize(("make", "header"), ROWS, ids=KINDS)
def test_a_header_that_is_given_is_sent_and_one_that_is_refused_is_not(
    make: Callable[[int, str], object], header: bytes
) -> None:
    rows = [make(1, "a"), make(2, "b, c")]
    assert body_of(sa.csv(rows, ["id", "name"])) == b"id,name\r\n" + CELLS
    assert body_of(sa.csv(rows, header=False)) == CELLS
    if header:
        assert body_of(sa.csv(rows, ["name", "id"])) == b'name,id\r\na,1\r\n"b, c",2\r\n'


@either_interface
@pytest.mark.parametrize(
    ("header", "body", "parameter"),
    [(["id", "name"], b"id,name\r\n", "; header=present"), (None, b"", ""), (False, b"", "; header=absent")],
)
def test_no_rows_are_the_header_line_alone(header: Any, body: bytes, parameter: str, call: Call) -> None:
    empty: list[Any] = [iter(()), [], None]
    for rows in empty:
        answer = call(sa.csv(rows, header))
        assert answer.body == body
        assert answer.header("Content-Type") == [f"text/csv{parameter}; charset=utf-8"]


def test_rows_of_a_database_name_their_columns() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT 1 AS id, 'a' AS name UNION SELECT 2, 'b, c'")
    assert body_of(sa.csv(rows)) == b"id,name\r\n" + CELLS
    with pytest.raises(ChunkValueError, match="missing 'price', unexpected 'name'"):
        body_of(sa.csv(connection.execute("SELECT 1 AS id, 'a' AS name"), ["id", "price"]))
    connection.close()


def test_rows_of_several_kinds_share_the_columns_of_the_first() -> None:
    rows = [{"id": 1, "name": "a"}, Named(2, "b"), (3, "c"), {"name": "d", "id": 4}, Record(5, "e")]
    assert body_of(sa.csv(rows)) == b"id,name\r\n1,a\r\n2,b\r\n3,c\r\n4,d\r\n5,e\r\n"


def test_empty_cell_of_a_single_column_is_quoted() -> None:
    assert body_of(sa.csv([{"a": None}, {"a": ""}, {"a": 1}])) == b'a\r\n""\r\n""\r\n1\r\n'


UNEVEN: list[tuple[list[Any], Any, str, bytes]] = [
    (
        [{"a": 1, "b": 2}, {"a": 3}],
        None,
        "chunk 1: expected a row of the columns 'a', 'b'; missing 'b'",
        b"1,2\r\n3,\r\n",
    ),
    (
        [{"a": 1, "b": 2}, {"a": 3, "b": 4, "c": 5}],
        None,
        "chunk 1: expected a row of the columns 'a', 'b'; unexpected 'c'",
        b"1,2\r\n3,4\r\n",
    ),
    (
        [{"a": 1, "b": 2}, {"a": 3, "c": 5}],
        None,
        "chunk 1: expected a row of the columns 'a', 'b'; missing 'b', unexpected 'c'",
        b"1,2\r\n3,\r\n",
    ),
    ([{"a": 1}], ["a", "b"], "chunk 0: expected a row of the columns 'a', 'b'; missing 'b'", b"1,\r\n"),
    ([Named(1, "x")], ["id"], "chunk 0: expected a row of the columns 'id'; unexpected 'name'", b"1\r\n"),
    ([(1, 2), (3,)], ["a", "b"], "chunk 1: expected a row of 2 cells, as the header has, got 1", b"1,2\r\n3,\r\n"),
    (
        [(1, 2), (3, 4, 5)],
        ["a", "b"],
        "chunk 1: expected a row of 2 cells, as the header has, got 3",
        b"1,2\r\n3,4\r\n",
    ),
]


@pytest.mark.parametrize(("rows", "header", "problem", "ignored"), UNEVEN)
def test_a_row_of_other_columns_is_an_error_unless_extras_are_ignored(
    rows: list[Any], header: Any, problem: str, ignored: bytes
) -> None:
    with pytest.raises(ChunkValueError) as caught:
        body_of(sa.csv(rows, header))
    assert str(caught.value) == problem
    assert body_of(sa.csv(rows, header, extras="ignore")).partition(b"\r\n")[2] == ignored


@pytest.mark.parametrize(
    "row", [Counter({"a": 1, "c": 3}), defaultdict(int, {"a": 1, "c": 3})], ids=["Counter", "defaultdict"]
)
@pytest.mark.parametrize("first", [{"a": 1, "b": 2}, Counter({"a": 1, "b": 2})], ids=["dict", "Counter"])
def test_a_mapping_that_makes_up_what_it_lacks_has_the_columns_that_it_has(
    first: dict[str, int], row: dict[str, int]
) -> None:
    with pytest.raises(ChunkValueError, match=r"chunk 1: .* missing 'b', unexpected 'c'"):
        body_of(sa.csv([first, row]))
    assert list(row) == ["a", "c"]


def test_sequences_without_a_header_may_be_of_any_length() -> None:
    assert body_of(sa.csv([[1], [1, 2], []])) == b"1\r\n1,2\r\n\r\n"


CELL: list[tuple[object, bytes]] = [
    (None, b'""'),
    ("", b'""'),
    ("a", b"a"),
    ('say "hi"', b'"say ""hi"""'),
    ("a,b", b'"a,b"'),
    ("a\r\nb", b'"a\r\nb"'),
    ("nanny, infant", b'"nanny, infant"'),
    (5, b"5"),
    (10**30, b"1" + b"0" * 30),
    (0.1 + 0.2, b"0.30000000000000004"),
    (Decimal("1.10"), b"1.10"),
    (Decimal("1E+400"), b"1E+400"),
    (True, b"True"),
    (False, b"False"),
    (MOMENT, b"2026-01-02T03:04:05+00:00"),
    (date(2026, 1, 2), b"2026-01-02"),
    (IDENTITY, b"12345678-1234-5678-1234-567812345678"),
    (Colour.RED, b"red"),
    (Level.HIGH, b"3"),
    ([1, "a"], b'"[1,""a""]"'),
    ({"a": 1}, b'"{""a"":1}"'),
    ({1}, b"[1]"),
    (Record(1, "a"), b'"{""id"":1,""name"":""a""}"'),
]


@pytest.mark.parametrize(("value", "cell"), CELL, ids=repr)
def test_each_type_of_value_becomes_its_cell(value: object, cell: bytes) -> None:
    assert body_of(sa.csv([[value]])) == cell + b"\r\n"


BAD_ROWS: list[tuple[list[Any], type[Exception], str]] = [
    ([(1, float("nan"))], ChunkValueError, "chunk 0: column 1: expected a finite number, got nan"),
    ([{"a": 1}, {"a": float("-inf")}], ChunkValueError, "chunk 1: column 'a': expected a finite number, got -inf"),
    ([{"a": Decimal("NaN")}], ChunkValueError, "chunk 0: column 'a': expected a finite number, got NaN"),
    ([{"a": Decimal("sNaN")}], ChunkValueError, "chunk 0: column 'a': expected a finite number, got sNaN"),
    ([{"a": [float("nan")]}], ChunkValueError, "chunk 0: column 'a': expected a finite number, got nan"),
    (
        [(1, b"a")],
        sa.ChunkEncodingError,
        "chunk 0: column 1: expected text, a number, None or a JSON value, got bytes; write value.decode() or base64",
    ),
    (
        [(object(),)],
        sa.ChunkEncodingError,
        "chunk 0: column 0: expected text, a number, None or a JSON value, got object",
    ),
    (["text"], sa.ChunkEncodingError, "chunk 0: expected a row: a sequence, mapping or record, got str"),
    ([(1,), 5], sa.ChunkEncodingError, "chunk 1: expected a row: a sequence, mapping or record, got int"),
    ([None], sa.ChunkEncodingError, "chunk 0: expected a row: a sequence, mapping or record, got None; leave it out"),
    (
        [{1, 2}],
        sa.ChunkEncodingError,
        "chunk 0: expected a row: a sequence, mapping or record, got set; write sorted(value), or list(value)",
    ),
    (
        [iter(())],
        sa.ChunkEncodingError,
        'chunk 0: expected a row: a sequence, mapping or record, got tuple_iterator; did you mean "yield from"?',
    ),
    ([(1,), {"a": 1}], sa.ChunkEncodingError, "chunk 1: expected a sequence, as the first row was one, got dict"),
    ([{}], ChunkValueError, "chunk 0: expected a row with columns, got an empty dict"),
    ([("\ud800",)], ChunkValueError, "chunk 0: expected text, got a lone surrogate at position 0"),
]


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(("rows", "kind", "problem"), BAD_ROWS)
def test_item_that_is_not_a_row_is_an_error_that_names_it(
    rows: list[Any], kind: type[Exception], problem: str, way: str
) -> None:
    with pytest.raises(kind) as caught:
        body_of(sa.csv(in_way(way, rows)))
    assert str(caught.value).removesuffix("; JSON has no NaN and no infinities") == problem


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("excel", b"a,b\r\n1,x\r\n"),
        ("excel-tab", b"a\tb\r\n1\tx\r\n"),
        ("unix", b'"a","b"\n"1","x"\n'),
        (CSVPipe, b"a|b\r\n1|x\r\n"),
        (CSVPipe(), b"a|b\r\n1|x\r\n"),
    ],
)
def test_dialect_is_a_name_or_a_class(dialect: Any, body: bytes) -> None:
    assert body_of(sa.csv([{"a": 1, "b": "x"}], dialect=dialect)) == body


def test_cell_that_the_dialect_cannot_write_is_an_error_that_names_it() -> None:
    class Unquoted(csv.excel):
        quoting = csv.QUOTE_NONE

    with pytest.raises(ChunkValueError, match="chunk 1: the dialect cannot write it: need to escape"):
        body_of(sa.csv([["a"], ["a,b"]], dialect=Unquoted))


@pytest.mark.parametrize(
    ("charset", "bom", "body"),
    [
        ("utf-8", False, "é,b\r\n1,é\r\n".encode()),
        ("utf-8", True, "é,b\r\n1,é\r\n".encode("utf-8-sig")),
        ("utf-8-sig", True, "é,b\r\n1,é\r\n".encode("utf-8-sig")),
        ("latin-1", False, "é,b\r\n1,é\r\n".encode("latin-1")),
        ("utf-16", False, "é,b\r\n1,é\r\n".encode("utf-16")),
        ("utf-16", True, "é,b\r\n1,é\r\n".encode("utf-16")),
        ("utf-16-le", False, "é,b\r\n1,é\r\n".encode("utf-16-le")),
        ("utf-16-le", True, "\ufeffé,b\r\n1,é\r\n".encode("utf-16-le")),
    ],
)
@pytest.mark.parametrize("header", [None, ["é", "b"]], ids=["from the first row", "given"])
def test_a_byte_order_mark_stands_once_at_the_beginning(charset: str, bom: bool, body: bytes, header: Any) -> None:
    assert body_of(sa.csv([{"é": 1, "b": "é"}], header, charset=charset, bom=bom)) == body


def test_a_charset_with_states_returns_to_its_first_at_the_end() -> None:
    assert body_of(sa.csv([["日"], ["本"]], charset="iso-2022-jp")) == "日\r\n本\r\n".encode("iso-2022-jp")


@either_interface
@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (sa.csv([], bom=True, charset="latin-1"), "bom: the charset iso8859-1 has no byte order mark"),
        (sa.csv([], ["€"], charset="latin-1"), "header: charset latin-1 cannot encode '€'"),
        (sa.csv([["€"]], charset="latin-1"), "chunk 0: charset latin-1 cannot encode '€'"),
    ],
)
def test_character_outside_of_the_charset_is_an_error_before_anything_is_sent(
    response: sa.Response, problem: str, call: Call
) -> None:
    answer = call(response)
    assert answer.status is None
    assert str(answer.error) == problem


FORMULAS: list[tuple[object, bytes]] = [
    ("=1+1", b"'=1+1"),
    ("+1", b"'+1"),
    ("-1", b"'-1"),
    ("@SUM(A1)", b"'@SUM(A1)"),
    ("\t=1", b"'\t=1"),
    ("\r=1", b'"\'\r=1"'),
    ("＝1", "'＝1".encode()),  # noqa: RUF001  # the full-width sign is what is tested
    ('=cmd|"a",b', b'"\'=cmd|""a"",b"'),
    ("a=1", b"a=1"),
    (" =1", b" =1"),
    (-1, b"-1"),
    (-1.5, b"-1.5"),
    (Decimal(-1), b"-1"),
    (None, b'""'),
]


@pytest.mark.parametrize(("value", "cell"), FORMULAS, ids=repr)
def test_formulas_are_defused_when_asked_and_numbers_stay_numbers(value: object, cell: bytes) -> None:
    assert body_of(sa.csv([[value]], escape_formulas=True)) == cell + b"\r\n"
    plain = body_of(sa.csv([[value]])).decode()
    assert next(csv.reader(io.StringIO(plain, newline=""))) == ["" if value is None else str(value)]


def test_formula_in_a_column_name_is_escaped() -> None:
    assert body_of(sa.csv([{"=a": 1}], escape_formulas=True)) == b"'=a\r\n1\r\n"


@either_interface
def test_a_file_name_makes_it_a_download(call: Call) -> None:
    rows = [[1]]
    assert call(sa.csv(rows)).header("Content-Disposition") == []
    assert call(sa.csv(rows, filename="Zürich.csv")).header("Content-Disposition") == [
        "attachment; filename=Zurich.csv; filename*=UTF-8''Z%C3%BCrich.csv"
    ]
    own = sa.csv(rows, filename="a.csv", headers={"Content-Disposition": "inline"})
    assert call(own).header("Content-Disposition") == ["inline"]


def test_rows_of_a_sync_source_fill_a_block() -> None:
    answer = call_wsgi(sa.csv([number, "a" * 90] for number in range(1000)))
    assert len(answer.blocks) == 2


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({"header": "id"}, TypeError, "header: expected the columns' names, None or False, got 'id'"),
        ({"header": 5}, TypeError, "header: expected the columns' names, None or False, got 5"),
        ({"header": True}, TypeError, "header: expected the columns' names, None or False, got True"),
        ({"header": []}, ValueError, "header: expected at least one column, got none"),
        ({"dialect": "none"}, ValueError, "dialect: expected 'excel', 'excel-tab', 'unix'"),
        ({"extras": "drop"}, ValueError, "extras: expected 'raise' or 'ignore', got 'drop'"),
        ({"filename": 5}, TypeError, "filename: expected text such as 'report.csv', got int"),
    ],
)
def test_an_option_that_is_not_allowed_is_an_error_at_once(
    options: dict[str, Any], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        CSV(**options)
    assert str(caught.value).startswith(problem)


def test_one_row_encoded_by_itself_is_the_first_of_a_stream() -> None:
    assert CSV().encode({"a": 1}) == b"a\r\n1\r\n"
    assert CSV().encode([1]) == b"1\r\n"


@four_paths
def test_csv_failure_writes_no_line_and_breaks_the_connection(way: str, call: Call) -> None:
    def rows() -> Iterator[object]:
        yield [1]
        yield [2]
        raise RuntimeError("secret")

    answer = call(sa.csv(in_way(way, rows())))
    assert answer.body == b"1\r\n2\r\n"
    assert isinstance(answer.error, RuntimeError)
    assert not answer.complete
