"""The chunk table: what each value becomes, in a byte stream, and in strict mode."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import reduce
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

import stream_adapter as sa
from stream_adapter._remedies import name_of
from stream_adapter.errors import ChunkValueError
from tests.support.ids import stable_repr


class Octets(bytes):
    pass


class Words(str):  # noqa: SLOT000  # a subclass as users write them
    pass


class Count(int):
    pass


class Ratio(float):
    pass


class Colour(enum.Enum):
    RED = "red"


class Size(enum.StrEnum):
    BIG = "big"


class Level(enum.IntEnum):
    HIGH = 3


class Pair(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Point:
    x: object = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    x: object = 1


class Model(pydantic.BaseModel):
    x: float = 1.5
    when: date = date(2026, 1, 2)


class Struct(msgspec.Struct):
    x: float = 1.5
    when: date = date(2026, 1, 2)


@attrs.define
class Record:
    x: object = 1


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IDENTITY = UUID("12345678-1234-5678-1234-567812345678")
BEYOND_64_BITS = 10**30

BYTES: list[tuple[object, bytes]] = [
    (b"\x00\xff", b"\x00\xff"),
    (b"", b""),
    (bytearray(b"ab"), b"ab"),
    (memoryview(b"abcd")[1:3], b"bc"),
    (memoryview(b"abcd")[::2], b"ac"),
    (Octets(b"ab"), b"ab"),
]
TEXTS: list[tuple[object, bytes]] = [
    ("grün", "grün".encode()),
    ("", b""),
    ("😀\r\n\0", "😀\r\n\0".encode()),
    (Words("word"), b"word"),
]
NUMBERS: list[tuple[object, bytes]] = [
    (0, b"0"),
    (-7, b"-7"),
    (BEYOND_64_BITS, b"1" + b"0" * 30),
    (Count(5), b"5"),
    (2.5, b"2.5"),
    (-0.0, b"-0.0"),
    (1e100, b"1e+100"),
    (0.1 + 0.2, b"0.30000000000000004"),
    (Ratio(0.5), b"0.5"),
    (Decimal("1.10"), b"1.10"),
    (Decimal("1E+5"), b"1E+5"),
]
JSON_VALUES: list[tuple[object, bytes]] = [
    (True, b"true"),
    (False, b"false"),
    ({}, b"{}"),
    ({"a": [1, "ü", None]}, '{"a":[1,"ü",null]}'.encode()),
    ({1: "one"}, b'{"1":"one"}'),
    ({"null": 1}, b'{"null":1}'),
    (OrderedDict(b=1, a=2), b'{"b":1,"a":2}'),
    (MappingProxyType({"a": 1}), b'{"a":1}'),
    ([1, 2], b"[1,2]"),
    ((1, 2), b"[1,2]"),
    (Pair(1, 2), b'{"x":1,"y":2}'),
    ([Pair(1, 2), {3}], b'[{"x":1,"y":2},[3]]'),
    ({"big": BEYOND_64_BITS}, b'{"big":1' + b"0" * 30 + b"}"),
    ([Decimal("1.10"), True], b"[1.10,true]"),
    (Point(), b'{"x":1}'),
    (Point(Point()), b'{"x":{"x":1}}'),
    (Point(None), b'{"x":null}'),
    (Slotted(), b'{"x":1}'),
    (MOMENT, b'"2026-01-02T03:04:05+00:00"'),
    (MOMENT.replace(tzinfo=None), b'"2026-01-02T03:04:05"'),
    (MOMENT.date(), b'"2026-01-02"'),
    (time(3, 4, 5), b'"03:04:05"'),
    (IDENTITY, b'"12345678-1234-5678-1234-567812345678"'),
    (Colour.RED, b'"red"'),
    (Size.BIG, b'"big"'),
    (Level.HIGH, b"3"),
    (Model(), b'{"x":1.5,"when":"2026-01-02"}'),
    (Struct(), b'{"x":1.5,"when":"2026-01-02"}'),
    (Record(), b'{"x":1}'),
    (
        {"all": [Model(), Struct(), Record(), Point(), Colour.RED, MOMENT, IDENTITY]},
        (
            b'{"all":[{"x":1.5,"when":"2026-01-02"},{"x":1.5,"when":"2026-01-02"},{"x":1},{"x":1},"red",'
            b'"2026-01-02T03:04:05+00:00","12345678-1234-5678-1234-567812345678"]}'
        ),
    ),
]
NOT_BYTES = TEXTS + NUMBERS + JSON_VALUES


def label(value: object) -> str:
    return type(value).__name__ if type(value) in {str, bytes, dict, list} else stable_repr(value)


@pytest.mark.parametrize(("value", "encoded"), BYTES + NOT_BYTES, ids=label)
def test_each_row_of_the_table_has_its_bytes(value: object, encoded: bytes) -> None:
    chunk = sa.encode_chunk(value)
    assert chunk == encoded
    assert type(chunk) is bytes


@pytest.mark.parametrize(("value", "encoded"), BYTES, ids=label)
def test_strict_mode_passes_bytes_alone(value: object, encoded: bytes) -> None:
    chunk = sa.encode_chunk(value, strict=True)
    assert chunk == encoded
    assert type(chunk) is bytes


@pytest.mark.parametrize(
    ("values", "remedy"),
    [
        (TEXTS, "yield value.encode() instead"),
        (NUMBERS, "yield str(value).encode() instead"),
        (JSON_VALUES, "yield json.dumps(value).encode() instead"),
    ],
)
def test_strict_mode_names_the_remedy_for_each_other_row(values: list[tuple[object, bytes]], remedy: str) -> None:
    for value, _ in values:
        with pytest.raises(sa.StrictEncodingError) as caught:
            sa.encode_chunk(value, strict=True)
        assert str(caught.value) == f"strict mode takes bytes, got {name_of(type(value))}; {remedy}"


@pytest.mark.parametrize(("value", "encoded"), BYTES + NOT_BYTES, ids=label)
def test_a_stream_encodes_a_chunk_as_encode_chunk_does(value: object, encoded: bytes) -> None:
    assert list(sa.iter_bytes([value, b"|", value])) == [encoded, b"|", encoded]


def generator() -> Iterator[bytes]:
    yield b""


async def async_generator() -> AsyncIterator[bytes]:
    yield b""


EXPECTED = "expected bytes, text, number or JSON value, got "
REFUSED: list[tuple[object, str]] = [
    (None, EXPECTED + "None; leave the chunk out, or yield b''"),
    (generator(), EXPECTED + 'generator; did you mean "yield from"?'),
    (async_generator(), EXPECTED + 'async_generator; did you mean "async for chunk in …: yield chunk"?'),
    (object(), EXPECTED + "object"),
    ({1, 2}, EXPECTED + "set; write sorted(value), or list(value)"),
    (1j, EXPECTED + "complex"),
    (Point, EXPECTED + "type"),
]


@pytest.mark.parametrize(("value", "problem"), REFUSED, ids=label)
def test_a_value_of_no_row_is_an_error_that_names_the_remedy(value: object, problem: str) -> None:
    with pytest.raises(sa.ChunkEncodingError) as caught:
        sa.encode_chunk(value)
    assert str(caught.value) == problem
    assert isinstance(caught.value, TypeError)
    assert not isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("value", "problem"), REFUSED, ids=label)
def test_strict_mode_refuses_a_value_of_no_row_with_the_same_remedy(value: object, problem: str) -> None:
    with pytest.raises(sa.StrictEncodingError) as caught:
        sa.encode_chunk(value, strict=True)
    assert str(caught.value) == problem.replace(EXPECTED, "strict mode takes bytes, got ")


def test_a_coroutine_as_a_chunk_asks_whether_await_was_meant() -> None:
    async def chunk() -> bytes:
        return b""

    coroutine = chunk()
    with pytest.raises(sa.ChunkEncodingError, match='got coroutine; did you mean "yield await"'):
        sa.encode_chunk(coroutine)
    coroutine.close()


NAN, INFINITY = float("nan"), float("inf")
DEEP = reduce(lambda inner, _: [inner], range(2000), list[object]())

BAD_VALUES: list[tuple[object, str]] = [
    (NAN, "expected a finite number, got nan"),
    (INFINITY, "expected a finite number, got inf"),
    (-INFINITY, "expected a finite number, got -inf"),
    (Ratio("nan"), "expected a finite number, got nan"),
    (Decimal("NaN"), "expected a finite number, got NaN"),
    (Decimal("sNaN"), "expected a finite number, got sNaN"),
    (Decimal("-Infinity"), "expected a finite number, got -Infinity"),
    ((NAN,), "expected a finite number, got nan"),
    ([Pair(1, 2), {NAN}], "expected a finite number, got nan"),
    (MappingProxyType({"a": NAN}), "expected a finite number, got nan"),
    ([1, [NAN]], "expected a finite number, got nan"),
    ({"a": {"b": INFINITY}}, "expected a finite number, got inf"),
    ({"a": (Decimal("NaN"),)}, "expected a finite number, got NaN"),
    ([BEYOND_64_BITS, NAN], "expected a finite number, got nan"),
    (Point(NAN), "expected a finite number, got nan"),
    (Slotted([NAN]), "expected a finite number, got nan"),
    (Record(NAN), "expected a finite number, got nan"),
    (Model(x=NAN), "expected a finite number, got nan"),
    (Struct(x=NAN), "expected a finite number, got nan"),
    ([Model(x=NAN)], "expected a finite number, got nan"),
    ([Struct(x=NAN)], "expected a finite number, got nan"),
    ("ok \ud800", "expected text, got a lone surrogate at position 3"),
    (["\udfff"], "a lone surrogate"),
    ({"\ud800": 1}, "a lone surrogate"),
    (DEEP, "expected a JSON value, got list"),
]


@pytest.mark.parametrize(("value", "problem"), BAD_VALUES, ids=lambda case: label(case) if case is not DEEP else "deep")
def test_a_value_that_cannot_be_sent_is_a_value_error(value: object, problem: str) -> None:
    with pytest.raises(ChunkValueError) as caught:
        sa.encode_chunk(value)
    assert problem in str(caught.value)
    assert isinstance(caught.value, (ValueError, TypeError))


def test_error_names_the_part_of_a_value_that_json_lacks() -> None:
    with pytest.raises(sa.ChunkEncodingError, match="expected a JSON value, got object"):
        sa.encode_chunk({"a": [object()]})


@pytest.mark.parametrize(
    ("chunks", "charset", "body"),
    [
        (["é", 1, {"a": "é"}, b"\xff"], "latin-1", [b"\xe9", b"1", b'{"a":"\xe9"}', b"\xff"]),
        (["a", "b"], "utf-16-le", [b"a\0", b"b\0"]),
        (["日", "本"], "shift_jis", ["日".encode("shift_jis"), "本".encode("shift_jis")]),
    ],
)
def test_text_is_encoded_in_the_charset(chunks: list[object], charset: str, body: list[bytes]) -> None:
    assert list(sa.iter_bytes(chunks, charset=charset)) == body


def test_byte_order_mark_is_sent_once_per_stream() -> None:
    chunks = list(sa.iter_bytes(["a", "b", 1], charset="utf-16"))
    assert b"".join(chunks) == "ab1".encode("utf-16")
    assert len(chunks[1]) == 2


def test_a_charset_with_states_returns_to_its_first_at_the_end() -> None:
    assert b"".join(sa.iter_bytes(["日", "本"], charset="iso-2022-jp")) == "日本".encode("iso-2022-jp")
    assert sa.encode_chunk("日", charset="iso-2022-jp") == "日".encode("iso-2022-jp")


def test_character_outside_the_charset_is_named_in_the_error() -> None:
    with pytest.raises(ChunkValueError, match=r"chunk 1: charset latin-1 cannot encode '€'"):
        list(sa.iter_bytes(["a", "€"], charset="latin-1"))


@pytest.mark.parametrize("charset", ["no-such", "rot13", "base64", "a\0b", ""])
def test_charset_that_is_not_a_text_encoding_is_refused_before_encoding(charset: str) -> None:
    with pytest.raises(ValueError, match="charset: expected the name of a text encoding"):
        sa.encode_chunk("a", charset=charset)


def sync_list(source: object, strict: bool) -> list[bytes]:
    return list(sa.iter_bytes(source, strict=strict))


def async_list(source: object, strict: bool) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [chunk async for chunk in sa.aiter_bytes(source, strict=strict)]

    return asyncio.run(collect())


@pytest.mark.parametrize("collect", [sync_list, async_list])
@pytest.mark.parametrize(
    ("chunk", "strict", "problem"),
    [
        (
            None,
            False,
            "chunk 2: expected bytes, text, number or JSON value, got None; leave the chunk out, or yield b''",
        ),
        (generator(), False, f'chunk 2: {EXPECTED}generator; did you mean "yield from"?'),
        (NAN, False, "chunk 2: expected a finite number, got nan"),
        ([NAN], False, "chunk 2: expected a finite number, got nan; JSON has no NaN and no infinities"),
        ("\ud800", False, "chunk 2: expected text, got a lone surrogate at position 0"),
        ("text", True, "chunk 2: strict mode takes bytes, got str; yield value.encode() instead"),
        (5, True, "chunk 2: strict mode takes bytes, got int; yield str(value).encode() instead"),
    ],
    ids=label,
)
def test_an_error_in_a_stream_names_its_chunk(
    collect: Callable[[object, bool], list[bytes]], chunk: object, strict: bool, problem: str
) -> None:
    with pytest.raises(sa.ChunkEncodingError) as caught:
        collect(iter([b"0", b"1", chunk]), strict)
    assert str(caught.value) == problem
    assert caught.value.index == 2
