"""The table: each value in every format, alone, nested, as a key, beside a big number, first and later."""

from __future__ import annotations

import importlib
import sqlite3
from array import array
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntFlag
from fractions import Fraction
from ipaddress import ip_address
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import numpy as np
import pendulum
import polars as pl
import pydantic
import pytest
import sqlalchemy
from freezegun.api import FakeDate, FakeDatetime
from markupsafe import Markup

import stream_adapter as sa
from tests.core.test_chunk_table import IDENTITY, MOMENT, Colour, Level, Size
from tests.values.test_one_json import Amount, Count, Day, Hour, Identity, Moment, Ratio, Span, Words

pd: Any = importlib.import_module("pandas")  # these have no types
psycopg2: Any = importlib.import_module("psycopg2.extras")
AsyncpgUUID: Any = importlib.import_module("asyncpg.pgproto.pgproto").UUID
AsyncpgRecord: Any = importlib.import_module("asyncpg.protocol.record").Record

BIG = 2**64


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


@dataclass
class Data:
    id: int
    name: str


class Model(pydantic.BaseModel):
    id: int
    name: str


class Struct(msgspec.Struct):
    id: int
    name: str


class ArrayStruct(msgspec.Struct, omit_defaults=True):
    id: int
    name: str = "a"


@attrs.define
class Attrs:
    id: int
    name: str


class Typed(dict[str, Any]):
    pass


class Named(NamedTuple):
    id: int
    name: str


class UserText(str):
    __slots__ = ()


class Permission(IntFlag):
    READ = 4


class Since(Enum):
    THEN = date(2024, 1, 2)


class Price(Enum):
    LOW = Decimal("1.10")


VALUES: dict[str, Any] = {"id": 1, "name": "a"}


def sqlite_row() -> Any:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT 1 AS id, 'a' AS name").fetchone()
    connection.close()
    return row


def sqlalchemy_row() -> Any:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        row = connection.execute(sqlalchemy.text("SELECT 1 AS id, 'a' AS name")).one()
    engine.dispose()
    return row


def psycopg2_row() -> Any:
    cursor = SimpleNamespace(index=OrderedDict(id=0, name=1), description=[("id",), ("name",)])
    row = psycopg2.DictRow(cursor)
    row[:] = [1, "a"]
    return row


RECORDS: dict[str, Callable[[], Any]] = {
    "dict": lambda: dict(VALUES),
    "OrderedDict": lambda: OrderedDict(VALUES),
    "defaultdict": lambda: defaultdict(int, VALUES),
    "dict subclass": lambda: Typed(VALUES),
    "UserDict": lambda: UserDict(VALUES),
    "ChainMap": lambda: ChainMap[str, Any]({"id": 1}, {"name": "a", "id": 2}),
    "mapping proxy": lambda: MappingProxyType(VALUES),
    "named tuple": lambda: Named(1, "a"),
    "dataclass": lambda: Data(1, "a"),
    "attrs": lambda: Attrs(1, "a"),
    "Pydantic": lambda: Model(id=1, name="a"),
    "msgspec": lambda: Struct(1, "a"),
    "msgspec without defaults": lambda: ArrayStruct(1, "a"),
    "sqlite3.Row": sqlite_row,
    "SQLAlchemy Row": sqlalchemy_row,
    "SQLAlchemy RowMapping": lambda: sqlalchemy_row()._mapping,
    "psycopg2 DictRow": psycopg2_row,
    "psycopg2 RealDictRow": lambda: psycopg2.RealDictRow(VALUES),
}
JSON = b'{"id":1,"name":"a"}'


@pytest.mark.parametrize("make", [make for name, make in RECORDS.items() if name != "msgspec without defaults"])
def test_a_record_is_an_object_in_every_json_format_wherever_it_stands(make: Callable[[], Any]) -> None:
    row: Any = make()
    json = b'{"name":"a","id":1}' if type(row).__name__ == "ChainMap" else JSON
    assert body_of(sa.ndjson([row, row])) == json + b"\n" + json + b"\n"
    assert body_of(sa.json_array([row, 1])) == b"[%b,1]" % json
    assert body_of(sa.json_seq([row])) == b"\x1e%b\n" % json
    assert body_of(sa.sse([row, "b"], retry=None)) == b"data: %b\n\ndata: b\n\n" % json
    assert body_of(sa.ndjson([{"n": BIG, "row": [row]}])) == b'{"n":18446744073709551616,"row":[%b]}\n' % json
    assert body_of(sa.ndjson([{1: row}])) == b'{"1":%b}\n' % json
    assert body_of(sa.Response(iter([row, row]))) == json + b"\n" + json + b"\n"
    assert body_of(sa.Response(iter([row]), media_type="application/jsonl")) == json + b"\n"
    assert sa.encode_chunk(row) == json
    assert sa.encode_chunk(row, charset="utf-16-le").decode("utf-16-le").encode() == json
    assert body_of(sa.csv([[row, 1]])) == b'"%b",1\r\n' % json.replace(b'"', b'""')


@pytest.mark.parametrize("make", RECORDS.values(), ids=RECORDS)
def test_a_record_is_a_row_of_csv_by_the_names_of_its_columns(make: Callable[[], Any]) -> None:
    row = make()
    given = body_of(sa.csv([row, row]))
    assert given in {b"id,name\r\n1,a\r\n1,a\r\n", b"name,id\r\na,1\r\na,1\r\n"}
    assert body_of(sa.csv([row], header=["name", "id"])) == b"name,id\r\na,1\r\n"
    assert body_of(sa.csv([{"name": "b", "id": 2}, row])) == b"name,id\r\nb,2\r\na,1\r\n"
    assert body_of(sa.csv([row], header=["name"], extras="ignore")) == b"name\r\na\r\n"
    with pytest.raises(sa.ChunkEncodingError, match="missing 'other'"):
        body_of(sa.csv([row], header=["id", "other"]))


def test_columns_of_one_name_are_an_error_in_every_format() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT 1 AS id, 2 AS id").fetchone()
    connection.close()
    with sqlalchemy.create_engine("sqlite://").connect() as session:
        other = session.execute(sqlalchemy.text("SELECT 1 AS id, 2 AS id")).one()
        for twice in (row, other):
            for response in (sa.ndjson([twice]), sa.csv([twice]), sa.sse([twice])):
                with pytest.raises(sa.ChunkEncodingError, match=r"expected columns of different names, got 'id'"):
                    body_of(response)
    session.engine.dispose()


# what `now()` and `today()` return under freezegun, which looks through all modules when it begins
FAKE_MOMENT, FAKE_DAY = FakeDatetime(2024, 1, 2, 3, 4, 5), FakeDate(2024, 1, 2)

# value, and its JSON; a cell and a key have its text
SCALARS: list[tuple[Any, bytes]] = [
    ("grün", '"grün"'.encode()),
    (Words("word"), b'"word"'),
    (np.str_("text"), b'"text"'),
    (1, b"1"),
    (Count(5), b"5"),
    (BIG, b"18446744073709551616"),
    (-BIG, b"-18446744073709551616"),
    (2.5, b"2.5"),
    (Ratio(0.5), b"0.5"),
    (np.float64(1.5), b"1.5"),
    (Decimal("1.10"), b"1.10"),
    (Amount("1.10"), b"1.10"),
    (MOMENT, b'"2026-01-02T03:04:05+00:00"'),
    (Moment(2024, 1, 2, tzinfo=UTC), b'"2024-01-02T00:00:00+00:00"'),
    (pd.Timestamp("2024-01-02", tz="UTC"), b'"2024-01-02T00:00:00+00:00"'),
    (pendulum.datetime(2024, 1, 2), b'"2024-01-02T00:00:00+00:00"'),
    (FAKE_MOMENT, b'"2024-01-02T03:04:05"'),
    (date(2024, 1, 2), b'"2024-01-02"'),
    (Day(2024, 1, 2), b'"2024-01-02"'),
    (pendulum.date(2024, 1, 2), b'"2024-01-02"'),
    (FAKE_DAY, b'"2024-01-02"'),
    (time(3, 4, 5), b'"03:04:05"'),
    (Hour(3, 4, 5), b'"03:04:05"'),
    (pendulum.time(3, 4, 5), b'"03:04:05"'),
    (timedelta(seconds=90), b'"P0DT00H01M30S"'),
    (Span(seconds=90), b'"P0DT00H01M30S"'),
    (pd.Timedelta("90s"), b'"P0DT00H01M30S"'),
    (pendulum.duration(seconds=90), b'"P0DT00H01M30S"'),
    (IDENTITY, b'"12345678-1234-5678-1234-567812345678"'),
    (Identity(int=1), b'"00000000-0000-0000-0000-000000000001"'),
    (AsyncpgUUID("12345678-1234-5678-1234-567812345678"), b'"12345678-1234-5678-1234-567812345678"'),
    (Colour.RED, b'"red"'),
    (Size.BIG, b'"big"'),
    (Level.HIGH, b"3"),
    ("a b", b'"a b"'),
    ("日本語 🎌", '"日本語 🎌"'.encode()),
    ("e\u0301", '"e\u0301"'.encode()),
    (Markup("<b>"), b'"<b>"'),
    (UserText("mine"), b'"mine"'),
    (0, b"0"),
    (-1, b"-1"),
    (2**63, b"9223372036854775808"),
    (-(2**63), b"-9223372036854775808"),
    (2**64 - 1, b"18446744073709551615"),
    (10**30, b"1000000000000000000000000000000"),
    (Count(2**70), b"1180591620717411303424"),
    (0.1, b"0.1"),
    (-2.0, b"-2.0"),
    (-0.0, b"-0.0"),
    (123456.75, b"123456.75"),
    (np.float64(0.1), b"0.1"),
    (Decimal(0), b"0"),
    (Decimal("-1.5"), b"-1.5"),
    (Decimal("1E+3"), b"1E+3"),
    (Decimal("0.000"), b"0.000"),
    (Decimal("123456789012345678901234567890.5"), b"123456789012345678901234567890.5"),
    (datetime(2024, 1, 2), b'"2024-01-02T00:00:00"'),
    (datetime(2024, 1, 2, 3, 4, 5, 678), b'"2024-01-02T03:04:05.000678"'),
    (datetime(2024, 1, 2, tzinfo=UTC), b'"2024-01-02T00:00:00+00:00"'),
    (datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=2))), b'"2024-01-02T00:00:00+02:00"'),
    (datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=-5, minutes=-30))), b'"2024-01-02T00:00:00-05:30"'),
    (datetime(2024, 7, 2, tzinfo=ZoneInfo("Europe/Berlin")), b'"2024-07-02T00:00:00+02:00"'),
    (datetime(2024, 1, 2, tzinfo=ZoneInfo("Asia/Kolkata")), b'"2024-01-02T00:00:00+05:30"'),
    (datetime(1971, 1, 2, tzinfo=ZoneInfo("Africa/Monrovia")), b'"1971-01-02T00:44:30+00:00"'),
    (datetime.min, b'"0001-01-01T00:00:00"'),
    (datetime.max, b'"9999-12-31T23:59:59.999999"'),
    (Moment(1971, 1, 2, tzinfo=ZoneInfo("Africa/Monrovia")), b'"1971-01-02T00:44:30+00:00"'),
    (pd.Timestamp("2024-01-02"), b'"2024-01-02T00:00:00"'),
    (pd.Timestamp("2024-01-02", tz="Europe/Berlin"), b'"2024-01-02T00:00:00+01:00"'),
    (pendulum.datetime(2024, 7, 2, tz="Europe/Berlin"), b'"2024-07-02T00:00:00+02:00"'),
    (date.min, b'"0001-01-01"'),
    (date.max, b'"9999-12-31"'),
    (time(3, 4, 5, 678), b'"03:04:05.000678"'),
    (time(3, 4, tzinfo=timezone(timedelta(hours=1))), b'"03:04:00+01:00"'),
    (time(3, 4, tzinfo=UTC), b'"03:04:00+00:00"'),
    (timedelta(0), b'"P0DT00H00M00S"'),
    (timedelta(days=2, hours=3, microseconds=4), b'"P2DT03H00M00.000004S"'),
    (timedelta(days=-1, seconds=30), b'"-P0DT23H59M30S"'),
    (UUID(int=0), b'"00000000-0000-0000-0000-000000000000"'),
    (Day(2024, 2, 29), b'"2024-02-29"'),
    (Permission.READ, b"4"),
    (Since.THEN, b'"2024-01-02"'),
    (Price.LOW, b"1.10"),
]


def test_the_table_has_at_least_120_values() -> None:
    assert len(RECORDS) + len(SCALARS) + len(REFUSED) >= 120


@pytest.mark.parametrize(("value", "json"), SCALARS, ids=[type(value).__qualname__ for value, _ in SCALARS])
def test_scalar_is_encoded_alike_in_each_format_and_position(value: Any, json: bytes) -> None:
    text = json.strip(b'"')
    assert body_of(sa.ndjson([value, value])) == json + b"\n" + json + b"\n"
    assert body_of(sa.json_array([value, [value]])) == b"[%b,[%b]]" % (json, json)
    assert body_of(sa.json_seq([value])) == b"\x1e%b\n" % json
    assert body_of(sa.ndjson([{"n": BIG, "value": {"a": value}}])) == (
        b'{"n":18446744073709551616,"value":{"a":%b}}\n' % json
    )
    assert body_of(sa.ndjson([{value: 1}])) == b'{"%b":1}\n' % text
    assert body_of(sa.csv([[value, value], {"a": value}.values()])) == b"%b,%b\r\n%b\r\n" % (text, text, text)
    assert body_of(sa.csv([{"a": value}])) == b"a\r\n%b\r\n" % text
    is_text = isinstance(value, str) and not isinstance(value, Size)
    assert body_of(sa.sse([value], retry=None)) == b"data: %b\n\n" % (text if isinstance(value, str) else json)
    assert sa.encode_chunk(value) == (text if is_text else json)
    assert body_of(sa.ndjson([{"value": value, "none": None}])) == b'{"value":%b,"none":null}\n' % json


class Plain:
    pass


class Speaking:
    def __str__(self) -> str:
        return "text"


class OldModel:
    """A model of Pydantic's first version, as far as one can see."""

    __fields__: ClassVar[dict[str, Any]] = {}
    __config__ = None

    def dict(self) -> None:
        raise NotImplementedError

    def __str__(self) -> str:
        return "a=1"


class Ticks:
    """Iterated either way, as a QuerySet is."""

    def __iter__(self) -> Iterator[int]:
        return iter([1])

    async def __aiter__(self) -> AsyncIterator[int]:
        yield 1


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> None:
    pass


FRAME = pd.DataFrame({"id": [1]})
# value, its full name, and the remedy
REFUSED: list[tuple[Any, str, str]] = [
    (Plain(), "tests.values.test_table.Plain", ""),
    (Speaking(), "tests.values.test_table.Speaking", "; write str(value), if that is the text you mean"),
    (1j, "complex", ""),
    (Fraction(1, 2), "fractions.Fraction", "; write str(value), if that is the text you mean"),
    (
        PurePosixPath("a"),
        f"{PurePosixPath.__module__}.PurePosixPath",
        "; write str(value), if that is the text you mean",
    ),
    (ip_address("::1"), "ipaddress.IPv6Address", "; write str(value), if that is the text you mean"),
    (deque([1]), "collections.deque", "; write list(value)"),
    (UserList([1]), "collections.UserList", "; write list(value)"),
    (range(2), "range", "; write list(value)"),
    ({"a": 1}.values(), "dict_values", "; write list(value)"),
    (array("i", [1]), "array.array", "; write value.tolist()"),
    (SimpleNamespace(a=1), "types.SimpleNamespace", "; write vars(value)"),
    (OldModel(), "tests.values.test_table.OldModel", "; write value.dict()"),
    (Ticks(), "tests.values.test_table.Ticks", '; did you mean "yield from", or "async for chunk in …: yield chunk"?'),
    (generator(), "generator", '; did you mean "yield from"?'),
    (iter([1]), "list_iterator", '; did you mean "yield from"?'),
    (np.bool_(True), "numpy.bool", "; write value.item()"),
    (np.int64(1), "numpy.int64", "; write value.item()"),
    (np.float32(1), "numpy.float32", "; write value.item()"),
    (np.datetime64("2024-01-02"), "numpy.datetime64", "; write value.item()"),
    (np.array([1]), "numpy.ndarray", "; write value.tolist()"),
    (pd.NaT, f"{type(pd.NaT).__module__}.NaTType", "; write None, or leave it out"),
    (pd.NA, f"{type(pd.NA).__module__}.NAType", "; write None, or leave it out"),
    (FRAME, f"{pd.DataFrame.__module__}.DataFrame", '; stream its rows: value.to_dict("records")'),
    (FRAME["id"], f"{pd.Series.__module__}.Series", "; stream its values: value.tolist()"),
    (pl.DataFrame({"id": [1]}), "polars.dataframe.frame.DataFrame", "; stream its rows: value.iter_rows(named=T"),
    (pl.LazyFrame({"id": [1]}), "polars.lazyframe.frame.LazyFrame", "; stream its rows: value.collect().iter"),
    (pl.Series([1]), "polars.series.series.Series", "; stream its values: value.to_list()"),
]


@pytest.mark.parametrize(("value", "name", "remedy"), REFUSED, ids=[name for _, name, _ in REFUSED])
def test_error_of_a_refused_value_names_its_class_and_the_remedy(value: Any, name: str, remedy: str) -> None:
    got = f"got {name}{remedy}"
    for items in ([value], ["first", value], ["first", [value]], ["first", {"n": BIG, "a": value}]):
        for response in (sa.ndjson(items), sa.json_array(items), sa.json_seq(items)):
            with pytest.raises(sa.ChunkEncodingError) as caught:
                body_of(response)
            assert str(caught.value).startswith(f"chunk {len(items) - 1}: expected a JSON value, {got}")
    with pytest.raises(sa.ChunkEncodingError) as caught:
        body_of(sa.sse(["first", value]))
    assert str(caught.value).startswith(f"chunk 1: expected a JSON value, {got}")
    encodings: list[Callable[[], bytes]] = [lambda: sa.encode_chunk(value), lambda: body_of(sa.csv([[1, value]]))]
    for encode in encodings:
        with pytest.raises(sa.ChunkEncodingError) as caught:
            encode()
        assert got in str(caught.value)
    with pytest.raises(sa.StrictEncodingError) as caught:
        sa.encode_chunk(value, strict=True)
    assert got in str(caught.value) or value is pd.NaT
    if type(value).__hash__ is not None:
        with pytest.raises(sa.ChunkEncodingError) as caught:
            body_of(sa.ndjson([{value: 1}]))
        assert str(caught.value).startswith("chunk 0: expected text, a number, a moment, a UUID or None as a key, got")


@pytest.mark.parametrize(
    ("frame", "remedy"),
    [
        (FRAME, 'DataFrame; stream its rows: value.to_dict("records")'),
        (pl.DataFrame({"id": [1]}), "DataFrame; stream its rows: value.iter_rows(named=True)"),
        (pl.LazyFrame({"id": [1]}), "LazyFrame; stream its rows: value.collect().iter_rows(named=True)"),
        (np.array([[1]]), "numpy.ndarray; write value.tolist()"),
    ],
)
@pytest.mark.parametrize("shortcut", [sa.csv, sa.ndjson, sa.json_array, sa.Response])
def test_a_frame_as_content_is_refused_where_the_response_is_made(frame: Any, remedy: str, shortcut: Any) -> None:
    with pytest.raises(sa.errors.SourceError) as caught:
        shortcut(frame)
    assert remedy in str(caught.value)


def test_remedies_in_the_error_messages_work() -> None:
    frame = pl.DataFrame({"id": [1, 2], "name": ["a", "b"]})
    assert body_of(sa.csv(frame.iter_rows(named=True))) == b"id,name\r\n1,a\r\n2,b\r\n"
    assert body_of(sa.csv(frame.lazy().collect().iter_rows(named=True))) == b"id,name\r\n1,a\r\n2,b\r\n"
    assert body_of(sa.ndjson(FRAME.to_dict("records"))) == b'{"id":1}\n'
    assert body_of(sa.ndjson([np.int64(1).item(), FRAME["id"].tolist()])) == b"1\n[1]\n"


def test_a_query_of_sqlalchemy_is_streamed_as_rows() -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        query = sqlalchemy.text("SELECT 1 AS id, 'a' AS name")
        assert body_of(sa.csv(connection.execute(query))) == b"id,name\r\n1,a\r\n"
        assert body_of(sa.ndjson(connection.execute(query).mappings())) == JSON + b"\n"
    engine.dispose()


def test_asyncpg_record_has_the_methods_of_a_row() -> None:
    assert all(hasattr(AsyncpgRecord, name) for name in ("keys", "__getitem__", "__len__"))  # only a server makes one


def test_a_counter_is_a_record_of_its_counts() -> None:
    assert body_of(sa.ndjson([Counter("aab")])) == b'{"a":2,"b":1}\n'


def test_a_uuid_of_any_version_is_its_text() -> None:
    assert sa.encode_chunk([UUID(int=0)]) == b'["00000000-0000-0000-0000-000000000000"]'
