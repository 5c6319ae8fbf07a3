"""One way to JSON: what orjson writes, and what is written where orjson refuses the whole, are the same bytes."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import OrderedDict, UserDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import markupsafe
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict

import stream_adapter as sa
from stream_adapter._json import dump_json, dump_slowly
from stream_adapter.errors import ChunkValueError

BEYOND_64_BITS = 2**64


class Pair(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Point:
    x: Any


@attrs.define
class Record:
    x: Any


class Fee(pydantic.BaseModel):
    price: Decimal = Decimal("1.50")
    page: pydantic.HttpUrl = pydantic.HttpUrl("https://example.org/")
    took: timedelta = timedelta(seconds=90)
    raw: bytes = b"raw"
    at: datetime = datetime(2024, 1, 2, tzinfo=UTC)
    note: str | None = None


class Seconds(pydantic.BaseModel):
    model_config = ConfigDict(ser_json_timedelta="float", ser_json_bytes="base64", ser_json_inf_nan="strings")
    took: timedelta = timedelta(seconds=90)
    raw: bytes = b"\xff"
    ratio: float = float("nan")
    note: str | None = None


class Tagged(msgspec.Struct, tag="tagged"):
    price: Decimal = Decimal("1.50")
    at: datetime = datetime(2024, 1, 2, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)
    DAY = date(2024, 1, 2)


class Level(enum.IntEnum):
    HIGH = 3
    HUGE = 2**70


class Words(str):  # noqa: SLOT000  # a subclass as users write them
    pass


class Count(int):
    pass


class Ratio(float):
    pass


class Day(date):
    pass


class Moment(datetime):
    pass


class Hour(time):
    pass


class Span(timedelta):
    pass


class Identity(UUID):
    pass


class Amount(Decimal):
    pass


class Rows(list[Any]):
    pass


class Columns(dict[str, Any]):
    pass


OFFSETS = st.integers(-86399, 86399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
PLACES = st.sampled_from(["Africa/Monrovia", "Asia/Kolkata"]).map(ZoneInfo)
ZONES: st.SearchStrategy[Any] = st.one_of(st.none(), st.just(UTC), OFFSETS, PLACES)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=ZONES, allow_imaginary=False)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
DURATIONS = st.timedeltas(timedelta(days=-99999), timedelta(days=99999))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers().map(Count),
    FINITE,
    FINITE.map(Ratio),
    st.text(),
    st.text().map(Words),
    st.text().map(markupsafe.Markup),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False).map(Amount),
    MOMENTS,
    MOMENTS.map(lambda at: Moment.combine(at.date(), at.timetz())),
    st.dates(),
    st.dates().map(lambda day: Day(day.year, day.month, day.day)),
    st.times(),
    st.times().map(lambda at: Hour(at.hour, at.minute, at.second, at.microsecond)),
    DURATIONS,
    DURATIONS.map(lambda span: Span(span.days, span.seconds, span.microseconds)),
    st.uuids(),
    st.uuids().map(lambda identity: Identity(int=identity.int)),
    st.sampled_from([*Colour, *Level]),
)
MODELS = st.sampled_from([Fee(), Seconds(), Tagged()])
KEYS = SCALARS.filter(lambda key: key is not Colour.PAIR)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(st.text(), inner, max_size=3)
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(Rows),
        named,
        named.map(Columns),
        named.map(OrderedDict),
        named.map(UserDict),
        st.builds(Pair, inner, inner),
        st.builds(Point, inner),
        st.builds(Record, inner),
    )


VALUES = st.recursive(SCALARS | MODELS, _containers, max_leaves=8)


@settings(deadline=None, max_examples=300)  # how long it takes is not what is tested
@given(VALUES)
def test_the_slow_encoder_writes_the_bytes_of_the_fast_one(value: Any) -> None:
    assert dump_slowly(value) == dump_json(value)


@settings(deadline=None)
@given(VALUES)
def test_a_value_beside_a_number_past_64_bits_has_the_same_bytes(value: Any) -> None:
    alone = dump_json(value)
    assert dump_json({"value": value, "n": BEYOND_64_BITS}) == b'{"value":%b,"n":18446744073709551616}' % alone
    assert dump_json([value, {1: value}]) == b'[%b,{"1":%b}]' % (alone, alone)


@settings(deadline=None)
@given(VALUES)
def test_every_value_is_valid_json_without_a_name_twice(value: Any) -> None:
    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    json.loads(dump_json(value), object_pairs_hook=distinct)


@settings(deadline=None)
@given(KEYS)
def test_a_key_is_the_json_of_the_value_as_text(key: Any) -> None:
    written = dump_json(key)
    name = written if written.startswith(b'"') else b'"%b"' % written
    assert dump_json({key: 1}) == b"{%b:1}" % name


def instant(moment: datetime) -> tuple[timedelta, bool]:
    """Return when it is, and whether it says so. Two zones' moments are not compared by `==` in a fold (PEP 495)."""
    offset = moment.utcoffset()
    return moment.replace(tzinfo=None) - datetime(1, 1, 1) - (offset or timedelta(0)), offset is None


@settings(deadline=None)
@given(MOMENTS)
def test_a_moment_is_never_another_moment(moment: datetime) -> None:
    assert instant(datetime.fromisoformat(json.loads(dump_json(moment)))) == instant(moment)


def test_a_moment_within_a_fold_is_itself() -> None:
    for moment in (datetime(1942, 5, 14, 23, tzinfo=ZoneInfo("Asia/Kolkata")), datetime.min, datetime.max):
        assert instant(datetime.fromisoformat(json.loads(dump_json(moment)))) == instant(moment)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (datetime(1971, 1, 1, tzinfo=ZoneInfo("Africa/Monrovia")), b'"1971-01-01T00:44:30+00:00"'),
        (datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=1))), b'"2023-12-31T23:59:59+00:00"'),
        (time(1, 2, tzinfo=timezone(timedelta(hours=2))), b'"01:02:00+02:00"'),
        (timedelta(days=1, hours=2, minutes=3, seconds=4.5), b'"P1DT02H03M04.500000S"'),
        (timedelta(seconds=-1), b'"-P0DT00H00M01S"'),
        ({None: 1, True: 2, 1.5: 3, Decimal("1.10"): 4}, b'{"null":1,"true":2,"1.5":3,"1.10":4}'),
        ({BEYOND_64_BITS: 1}, b'{"18446744073709551616":1}'),
        ({"fee": Seconds(ratio=1.5)}, b'{"fee":{"took":90.0,"raw":"_w==","ratio":1.5,"note":null}}'),
        (Seconds(), b'{"took":90.0,"raw":"_w==","ratio":"NaN","note":null}'),
        (Tagged(), b'{"type":"tagged","price":"1.50","at":"2024-01-02T00:00:00Z"}'),
    ],
)
def test_value_is_encoded_alike_at_each_depth(value: Any, encoded: bytes) -> None:
    assert dump_json(value) == encoded
    assert dump_json([BEYOND_64_BITS, value]) == b"[18446744073709551616,%b]" % encoded


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_that_json_dumps_writes_is_written() -> None:
    value = nested(600)
    assert dump_json(value) == json.dumps(value).encode()
    assert dump_json({"a": value, "n": None}).endswith(b'],"n":null}')


class Empty:
    __slots__ = ("x",)


@dataclasses.dataclass
class Unset:
    x: int = dataclasses.field(init=False)


HOLDS_ITSELF: list[Any] = []
HOLDS_ITSELF.append(HOLDS_ITSELF)

REFUSED: list[tuple[Any, str]] = [
    ({1: "a", "1": "b"}, 'expected different names in one object, got "1" twice (RFC 8259, 4)'),
    ({None: 1, "null": 2}, 'expected different names in one object, got "null" twice'),
    (nested(5000), "expected a JSON value, got list that is nested too deep, or holds itself"),
    (HOLDS_ITSELF, "expected a JSON value, got list that is nested too deep, or holds itself"),
    ({(1, 2): 1}, "as a key, got tuple"),
    ({b"a": 1}, "as a key, got bytes; write value.decode() or base64"),
    ({float("nan"): 1}, "expected a finite number, got nan"),
    ({"\ud800": 1, 1: 2}, "expected text, got a lone surrogate inside a JSON value"),
    ([10**5000], "expected a shorter number"),
    (time(1, tzinfo=timezone(timedelta(seconds=1))), "whose UTC offset has whole minutes, got 01:00:00+00:00:01"),
    (Unset(), "test_one_json.Unset: expected a value for the field 'x', got none"),
    ([Empty()], "test_one_json.Empty"),
    ({"a": {1, object()}}, "got object"),
    (Fee(note="\ud800"), "while encoding tests.values.test_one_json.Fee as JSON"),
    (Pair(float("nan"), None), "expected a finite number, got nan"),
]


@pytest.mark.parametrize(("value", "problem"), REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("beside", [False, True])
def test_value_without_json_is_an_error_that_names_it(value: Any, problem: str, beside: bool) -> None:
    with pytest.raises(sa.ChunkEncodingError) as caught:
        dump_json([BEYOND_64_BITS, value] if beside else value)
    assert problem in str(caught.value)
    assert "OPT_" not in str(caught.value)


def test_nan_in_a_model_is_refused_however_many_fields_are_none() -> None:
    class Holder(pydantic.BaseModel):
        inner: list[Seconds]
        ratio: float
        none: None = None

    assert dump_json(Holder(inner=[Seconds()], ratio=1)).endswith(b'"ratio":1.0,"none":null}')
    with pytest.raises(ChunkValueError, match="got nan"):
        dump_json(Holder(inner=[Seconds()], ratio=float("nan")))
