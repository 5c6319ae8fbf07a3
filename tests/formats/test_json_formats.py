"""NDJSON, JSON arrays and JSON text sequences (RFC 7464): every item one JSON value, and valid JSON always."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, cast

import pydantic
import pytest

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from stream_adapter.formats import NDJSON, Format, JSONArray, JSONSeq
from stream_adapter.types import Flush
from tests.core.test_chunk_table import BEYOND_64_BITS, JSON_VALUES, MOMENT, NUMBERS, Model, Record, Struct
from tests.support.ids import stable_repr
from tests.support.interfaces import Call, call_wsgi, either_interface, four_paths
from tests.support.sources import in_way

PROBLEM = b'{"error":{"type":"about:blank","title":"Internal Server Error","status":500}'

SHORTCUTS: dict[str, Callable[..., sa.Response]] = {
    "ndjson": sa.ndjson,
    "json_array": sa.json_array,
    "json_seq": sa.json_seq,
}
FORMATS: list[type[NDJSON | JSONArray | JSONSeq]] = [NDJSON, JSONArray, JSONSeq]
each_shortcut = pytest.mark.parametrize("shortcut", SHORTCUTS.values(), ids=SHORTCUTS)


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


BODIES: list[tuple[str, list[object], bytes]] = [
    ("ndjson", [], b""),
    ("ndjson", [{"a": 1}], b'{"a":1}\n'),
    ("ndjson", [None, "a\nb", 1, [True]], b'null\n"a\\nb"\n1\n[true]\n'),
    ("json_array", [], b"[]"),
    ("json_array", [{"a": 1}], b'[{"a":1}]'),
    ("json_array", [None, "a\nb", 1, [True]], b'[null,"a\\nb",1,[true]]'),
    ("json_seq", [], b""),
    ("json_seq", [{"a": 1}], b'\x1e{"a":1}\n'),
    ("json_seq", [None, "\x1e\n", 1, [True]], b'\x1enull\n\x1e"\\u001e\\n"\n\x1e1\n\x1e[true]\n'),
]


@four_paths
@pytest.mark.parametrize(("shortcut", "items", "body"), BODIES)
def test_each_item_becomes_one_json_value_of_the_body(
    shortcut: str, items: list[object], body: bytes, way: str, call: Call
) -> None:
    answer = call(SHORTCUTS[shortcut](in_way(way, items)))
    assert answer.body == body
    assert answer.complete


@pytest.mark.parametrize(
    ("shortcut", "flush", "blocks"),
    [
        ("ndjson", "auto", [b"1\n", b"2\n"]),
        ("ndjson", "bulk", [b"1\n2\n"]),
        ("json_array", "auto", [b"[1,2]"]),
        ("json_array", "item", [b"[", b"1", b",2", b"]"]),
    ],
)
def test_block_is_filled_in_formats_whose_parts_are_of_no_use_unless_flush_says_otherwise(
    shortcut: str, flush: Flush, blocks: list[bytes]
) -> None:
    assert [block for block in call_wsgi(SHORTCUTS[shortcut](iter([1, 2]), flush=flush)).blocks if block] == blocks


@pytest.mark.parametrize(
    ("shortcut", "media_type", "buffering"),
    [
        ("ndjson", "application/x-ndjson", ["no"]),
        ("json_array", "application/json", []),
        ("json_seq", "application/json-seq", ["no"]),
    ],
)
@either_interface
def test_each_format_has_its_media_type(shortcut: str, media_type: str, buffering: list[str], call: Call) -> None:
    answer = call(SHORTCUTS[shortcut](iter([1])))
    assert answer.header("Content-Type") == [media_type]
    assert answer.header("X-Accel-Buffering") == buffering


@either_interface
@pytest.mark.parametrize(
    ("shortcut", "content", "body"),
    [
        ("ndjson", None, b""),
        ("ndjson", {"a": 1}, b'{"a":1}\n'),
        ("json_array", None, b"[]"),
        ("json_array", {"a": 1}, b'[{"a":1}]'),
        ("json_array", "text", b'["text"]'),
        ("json_seq", None, b""),
    ],
)
def test_one_value_or_none_is_the_whole_body(shortcut: str, content: object, body: bytes, call: Call) -> None:
    answer = call(SHORTCUTS[shortcut](content))
    assert answer.body == body
    assert answer.header("Content-Length") == [str(len(body))]


class Renamed(pydantic.BaseModel):
    x: Decimal = Decimal("1.10")

    @pydantic.field_serializer("x")
    def serialize_x(self, x: Decimal) -> str:
        return f"{x} EUR"


@pydantic.dataclasses.dataclass
class CheckedPoint:
    x: Decimal = Decimal("1.10")

    @pydantic.field_serializer("x")
    def serialize_x(self, x: Decimal) -> str:
        return f"{x} EUR"


class Constants(pydantic.BaseModel, ser_json_inf_nan="constants"):
    x: float = float("nan")
    note: str = "NaN, Infinity"


VALUES: list[tuple[object, bytes]] = [
    *JSON_VALUES,
    *NUMBERS,
    (None, b"null"),
    ("grün", '"grün"'.encode()),
    ({1}, b"[1]"),
    (frozenset({MOMENT}), b'["2026-01-02T03:04:05+00:00"]'),
    (Renamed(), b'{"x":"1.10 EUR"}'),
    (CheckedPoint(), b'{"x":"1.10 EUR"}'),
    ({"nested": [CheckedPoint()]}, b'{"nested":[{"x":"1.10 EUR"}]}'),
    (Constants(x=1.0), b'{"x":1.0,"note":"NaN, Infinity"}'),
    ([BEYOND_64_BITS, Decimal("0.12345678901234567890")], b"[1" + b"0" * 30 + b",0.12345678901234567890]"),
    ({BEYOND_64_BITS: -BEYOND_64_BITS}, b'{"1' + b"0" * 30 + b'":-1' + b"0" * 30 + b"}"),
    ({"a": None, "b": 1.5, "c": [None, (1.5, "null")]}, b'{"a":null,"b":1.5,"c":[null,[1.5,"null"]]}'),
]


@pytest.mark.parametrize(("value", "encoded"), VALUES, ids=repr)
def test_every_kind_of_value_is_the_same_json_in_each_format(value: object, encoded: bytes) -> None:
    assert body_of(sa.ndjson([value])) == encoded + b"\n"
    assert body_of(sa.json_array([value, value])) == b"[%b,%b]" % (encoded, encoded)
    assert body_of(sa.json_seq([value])) == b"\x1e%b\n" % encoded
    json.loads(encoded)


NAN = float("nan")


@each_shortcut
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (NAN, "chunk 2: expected a finite number, got nan; JSON has no NaN and no infinities"),
        ({"a": -float("inf")}, "chunk 2: expected a finite number, got -inf"),
        ({"a": None, "b": [NAN]}, "chunk 2: expected a finite number, got nan"),
        ({NAN: 1}, "chunk 2: expected a finite number, got nan"),
        ({"a": (None, {-float("inf"): BEYOND_64_BITS})}, "chunk 2: expected a finite number, got -inf"),
        (Record(cast("Any", {NAN: 1})), "chunk 2: expected a finite number, got nan"),
        ((None, Model(x=NAN)), "chunk 2: expected a finite number, got nan"),
        (Struct(x=NAN), "chunk 2: expected a finite number, got nan"),
        (Record(NAN), "chunk 2: expected a finite number, got nan"),
        (Constants(), "chunk 2: expected a finite number, got NaN"),
        ([BEYOND_64_BITS, {"a": NAN}], "chunk 2: expected a finite number, got nan"),
        (Decimal("Infinity"), "chunk 2: expected a finite number, got Infinity"),
        (b"bytes", "chunk 2: expected a JSON value, got bytes"),
        ({"a": object()}, "chunk 2: expected a JSON value, got object"),
        ("\ud800", "chunk 2: expected text, got a lone surrogate"),
    ],
    ids=stable_repr,
)
def test_item_that_is_not_json_is_an_error_that_names_it(
    shortcut: Callable[..., sa.Response], way: str, item: object, problem: str
) -> None:
    with pytest.raises(sa.ChunkEncodingError) as caught:
        body_of(shortcut(in_way(way, [1, 2, item])))
    assert problem in str(caught.value)
    assert caught.value.index == 2


@either_interface
@each_shortcut
def test_an_error_in_the_first_item_sends_nothing(shortcut: Callable[..., sa.Response], call: Call) -> None:
    answer = call(shortcut(iter([NAN])))
    assert answer.status is None
    assert isinstance(answer.error, ChunkValueError)


@four_paths
@pytest.mark.parametrize(
    ("shortcut", "body"),
    [
        ("ndjson", b"1\n2\n" + PROBLEM + b"}\n"),
        ("json_array", b"[1,2"),
        ("json_seq", b"\x1e1\n\x1e2\n\x1e" + PROBLEM),
    ],
)
def test_json_failure_writes_an_error_record_or_leaves_the_body_open(
    shortcut: str, body: bytes, way: str, call: Call
) -> None:
    def items() -> Any:
        yield 1
        yield 2
        raise RuntimeError("secret")

    answer = call(SHORTCUTS[shortcut](in_way(way, items())))
    assert answer.body == body
    assert isinstance(answer.error, RuntimeError)
    assert not answer.complete


@either_interface
@pytest.mark.parametrize(
    ("shortcut", "body"),
    [
        ("ndjson", b'1\n{"sorry":true}\n'),
        ("json_array", b'[1,{"sorry":true}'),
        ("json_seq", b'\x1e1\n\x1e{"sorry":true}\n'),
    ],
)
def test_result_of_on_error_is_the_last_item(shortcut: str, body: bytes, call: Call) -> None:
    def items() -> Any:
        yield 1
        raise RuntimeError("secret")

    def apologise(error: BaseException) -> object:
        return {"sorry": isinstance(error, RuntimeError)}

    answer = call(SHORTCUTS[shortcut](items(), on_error=apologise))
    assert answer.body == body
    assert not answer.complete


def as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def as_bytes(value: object) -> bytes:
    return as_text(value).encode()


@pytest.mark.parametrize("json_dumps", [as_text, as_bytes])
@pytest.mark.parametrize(
    ("shortcut", "body"),
    [
        ("ndjson", '{"ä": 1}\n{"ä": 1}\n'),
        ("json_array", '[{"ä": 1},{"ä": 1}]'),
        ("json_seq", '\x1e{"ä": 1}\n\x1e{"ä": 1}\n'),
    ],
)
def test_json_dumps_replaces_the_encoder(shortcut: str, body: str, json_dumps: Callable[[Any], bytes | str]) -> None:
    assert body_of(SHORTCUTS[shortcut]([{"ä": 1}] * 2, json_dumps=json_dumps)) == body.encode()


BAD_DUMPS: list[tuple[Callable[[Any], Any], str]] = [
    (as_text, "chunk 1: json_dumps: TypeError for set: Object of type set is not JSON serializable"),
    (
        lambda value: None if isinstance(value, set) else "1",
        "chunk 1: json_dumps: expected it to return text or bytes, got NoneType",
    ),
    (
        lambda value: "" if isinstance(value, set) else "1",
        "chunk 1: json_dumps: expected it to return a JSON value, got nothing",
    ),
    (
        lambda value: "\ud800" if isinstance(value, set) else "1",
        "chunk 1: expected text, got a lone surrogate at position 0",
    ),
]


@each_shortcut
@pytest.mark.parametrize(("json_dumps", "problem"), BAD_DUMPS)
def test_invalid_result_of_json_dumps_is_an_error_that_names_the_item(
    shortcut: Callable[..., sa.Response], json_dumps: Callable[[Any], Any], problem: str
) -> None:
    with pytest.raises(sa.ChunkEncodingError) as caught:
        body_of(shortcut([1, {2}], json_dumps=json_dumps))
    assert str(caught.value) == problem


def test_a_value_of_several_lines_is_refused_in_ndjson_alone() -> None:
    indented = partial(json.dumps, indent=1)
    with pytest.raises(ChunkValueError, match="chunk 1: json_dumps: expected it to return one line, got several"):
        body_of(sa.ndjson([1, [2]], json_dumps=indented))
    assert json.loads(body_of(sa.json_array([1, [2]], json_dumps=indented))) == [1, [2]]
    assert body_of(sa.json_seq([[2]], json_dumps=indented)) == b"\x1e[\n 2\n]\n"


@pytest.mark.parametrize("format_class", FORMATS)
def test_json_dumps_must_be_a_function(format_class: Callable[[Any], Format]) -> None:
    with pytest.raises(TypeError, match="json_dumps: expected a function, got str"):
        format_class("json")
