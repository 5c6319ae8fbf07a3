"""What would be sent as another value, without an error: each is right in every format, or refused by name."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import math
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import numpy as np
import polars as pl
import pydantic
import pytest
from django.utils.datastructures import MultiValueDict
from django.utils.functional import SimpleLazyObject
from pydantic import ConfigDict, PlainSerializer
from werkzeug.local import LocalProxy

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError

pd: Any = importlib.import_module("pandas")  # without types


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


EVERY_FORMAT: dict[str, Callable[[Any], bytes]] = {
    "ndjson": lambda value: body_of(sa.ndjson([value])),
    "nested": lambda value: body_of(sa.json_array([{"value": [value], "n": 2**64}])),
    "sse": lambda value: body_of(sa.sse([value])),
    "event": lambda value: sa.ServerSentEvent(value).encoded,
    "csv row": lambda value: body_of(sa.csv([value])),
    "csv cell": lambda value: body_of(sa.csv([[value]])),
    "auto": lambda value: body_of(sa.Response(iter([value]))),
}
in_every_format = pytest.mark.parametrize("encode", EVERY_FORMAT.values(), ids=EVERY_FORMAT)


class Anything(pydantic.BaseModel):
    x: Any = None
    note: str | None = None


class Open(pydantic.BaseModel):
    model_config = ConfigDict(extra="allow")


class Outer(pydantic.BaseModel):
    inner: Anything


@dataclasses.dataclass
class Point:
    x: float


NAN_INSIDE: list[Any] = [
    Anything(x=math.nan),
    Anything(x=[1, math.inf]),
    Anything(x={"a": math.nan, "b": None}),
    Anything(x=(math.nan,)),
    Anything(x=Point(math.nan)),
    Anything(x=np.float64("nan")),
    Open(z=math.nan),  # type: ignore[call-arg]  # as it allows
    Outer(inner=Anything(x=-math.inf)),
]


@in_every_format
@pytest.mark.parametrize("model", NAN_INSIDE, ids=repr)
def test_nan_in_an_untyped_field_of_a_pydantic_model_is_refused(model: Any, encode: Callable[[Any], bytes]) -> None:
    with pytest.raises(ChunkValueError, match=r"expected a finite number, got (nan|inf|-inf|np\.float64\(nan\))"):
        encode(model)


class Chosen(pydantic.BaseModel):
    x: Annotated[float, PlainSerializer(lambda x: None if math.isnan(x) else x, when_used="json")] = math.nan


def test_a_null_that_a_serializer_makes_of_nan_is_sent() -> None:
    assert body_of(sa.ndjson([Chosen(), [Chosen()]])) == b'{"x":null}\n[{"x":null}]\n'
    assert body_of(sa.csv([Chosen()])) == b'x\r\n""\r\n'
    assert body_of(sa.ndjson([Anything(x=[None, 1.5, {"a": None}])])) == (b'{"x":[null,1.5,{"a":null}],"note":null}\n')


class Struct(msgspec.Struct):
    x: Any
    note: str | None = None


@pytest.mark.parametrize(
    ("value", "json"), [(b"ab", b'{"x":"YWI=","note":null}'), (msgspec.UNSET, b'{"note":null}')], ids=["bytes", "unset"]
)
def test_none_beside_what_a_struct_alone_can_write_does_not_refuse_it(value: Any, json: bytes) -> None:
    assert body_of(sa.ndjson([Struct(value)])) == json + b"\n"
    assert body_of(sa.sse([Struct(value)], retry=None)) == b"data: %b\n\n" % json


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (pd.Timestamp("2024-01-02T03:04:05.123456789"), b"2024-01-02T03:04:05.123456789"),
        (pd.Timestamp("2024-01-02T03:04:05.000000001", tz="Europe/Berlin"), b"2024-01-02T03:04:05.000000001+01:00"),
        (pd.Timestamp("1901-01-01T00:00:00.000001001", tz="Africa/Monrovia"), b"1901-01-01T00:43:08.000001001+00:00"),
        (pd.Timedelta(1, "ns"), b"P0DT00H00M00.000000001S"),
        (pd.Timedelta(-1, "ns"), b"-P0DT00H00M00.000000001S"),
        (pd.Timedelta(-1, "us"), b"-P0DT00H00M00.000001S"),
    ],
)
def test_nanoseconds_of_pandas_are_written(value: Any, text: bytes) -> None:
    assert body_of(sa.ndjson([value, {value: 2**64}])) == b'"%b"\n{"%b":18446744073709551616}\n' % (text, text)
    assert body_of(sa.csv([[value, 1]])) == b"%b,1\r\n" % text


@in_every_format
@pytest.mark.parametrize(
    ("value", "got"),
    [
        (pd.Timestamp(np.datetime64("20000-01-01", "s")), "in the years 1 to 9999, got 20000-01-01 00:00:00"),
        (pd.Timestamp(np.datetime64("-0005-01-01", "s")), "in the years 1 to 9999, got -005-01-01 00:00:00"),
        (pd.Timedelta(np.timedelta64(10**14, "s")), "less than 1,000,000,000 days, got 1157407407 days 09:46:40"),
    ],
)
def test_a_moment_of_pandas_that_python_cannot_hold_is_refused(
    value: Any, got: str, encode: Callable[[Any], bytes]
) -> None:
    with pytest.raises(sa.ChunkEncodingError, match=f"{got}|expected a row"):
        encode(value)


@in_every_format
def test_a_row_of_pandas_is_refused_rather_than_put_under_columns_by_position(encode: Callable[[Any], bytes]) -> None:
    row = pd.DataFrame({"a": [1], "b": [2]}).iloc[0]
    with pytest.raises(sa.ChunkEncodingError, match=r"got pandas\..*Series; .*, or, of a row, write value.to_dict\(\)"):
        encode(row)
    with pytest.raises(sa.ChunkEncodingError, match=r"Series"):
        body_of(sa.csv([row], header=["b", "a"]))
    assert body_of(sa.csv([row.to_dict()], header=["b", "a"])) == b"b,a\r\n2,1\r\n"


@pytest.mark.parametrize("row", [pl.Series([1]), pd.Index([1]), pd.Categorical(["a"])])
def test_column_as_a_row_of_csv_is_refused(row: Any) -> None:
    with pytest.raises(sa.ChunkEncodingError, match=r"expected a row: .*; stream its values: value.to_?list\(\)"):
        body_of(sa.csv([row]))


def test_a_dict_of_several_values_each_has_all_of_them_in_a_cell_too() -> None:
    several: Any = MultiValueDict({"a": [1, 2]})
    assert body_of(sa.ndjson([several])) == b'{"a":[1,2]}\n'
    assert body_of(sa.csv([several])) == b'a\r\n"[1,2]"\r\n'


@pytest.mark.parametrize("row", [{1: "a", "1": "b"}, {None: 1, "": 2}])
def test_columns_whose_names_are_written_alike_are_refused(row: Any) -> None:
    with pytest.raises(ChunkValueError, match=r"expected columns of different names, got '1?' twice"):
        body_of(sa.csv([row]))


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    LOW = 1
    HIGH = 2


@pytest.mark.parametrize("row", [Rights.READ | Rights.WRITE, Bits.LOW | Bits.HIGH])
def test_flag_as_a_row_of_its_bits_is_refused(row: Any) -> None:
    with pytest.raises(sa.ChunkEncodingError, match="expected a row: a sequence, mapping or record"):
        body_of(sa.csv([row]))


PROXIES: list[tuple[Any, bytes | None]] = [
    (LocalProxy(lambda: {"a": 1}), b'{"a":1}'),
    (SimpleLazyObject(lambda: {"a": 1}), b'{"a":1}'),
    (SimpleLazyObject(lambda: Point(1.5)), b'{"x":1.5}'),
    (LocalProxy(lambda: "text"), None),
    (SimpleLazyObject(lambda: "text"), None),
    (SimpleLazyObject(lambda: 5), None),
]


@in_every_format
@pytest.mark.parametrize(("proxy", "json"), PROXIES)
def test_a_proxy_is_what_it_stands_for_or_is_refused(
    proxy: Any, json: bytes | None, encode: Callable[[Any], bytes]
) -> None:
    try:
        encoded = encode(proxy)
    except sa.ChunkEncodingError as error:
        assert "it stands for another value: write str(value), dict(value) or the like" in str(error)  # noqa: PT017
    else:
        assert json is not None
        assert json in encoded


class Whole(pydantic.BaseModel):
    @pydantic.model_serializer
    def as_text(self) -> str:
        return "text"


def test_model_whose_serializer_makes_text_is_refused_as_a_row() -> None:
    with pytest.raises(sa.ChunkEncodingError, match=r"got tests\..*\.Whole, whose serializer makes str of it"):
        body_of(sa.csv([Whole()]))
