"""What others encoded, JSON that is sent as it is, does not break the framing of any format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from tests.formats.parsers import json_seq_of

VALUE = {"a": [1, "b"], "c": {"d": None}}
INDENTED = json.dumps(VALUE, indent=2).encode()


class Row(msgspec.Struct):
    raw: msgspec.Raw


FRAGMENTS: dict[str, Callable[[bytes], Any]] = {
    "orjson.Fragment": orjson.Fragment,
    "orjson.Fragment inside": lambda encoded: {"inner": [orjson.Fragment(encoded)]},
    "msgspec.Raw": msgspec.Raw,
    "msgspec.Raw inside": lambda encoded: Row(msgspec.Raw(encoded)),
}
each_fragment = pytest.mark.parametrize("fragment", FRAGMENTS.values(), ids=FRAGMENTS)


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


@each_fragment
@pytest.mark.parametrize("encoded", [INDENTED, INDENTED.replace(b"\n", b"\r\n"), INDENTED.replace(b"\n", b"\r")])
def test_fragment_of_several_lines_stays_one_item(fragment: Callable[[bytes], Any], encoded: bytes) -> None:
    item = fragment(encoded)
    read = json.loads(body_of(sa.json_array([item])))[0]
    lines = body_of(sa.ndjson([item, 1])).removesuffix(b"\n").split(b"\n")
    assert [json.loads(line) for line in lines] == [read, 1]
    events = body_of(sa.sse([item, 1], retry=None)).decode()
    data, one, end = events.split("\n\n")
    assert (json.loads(data.removeprefix("data: ")), one, end) == (read, "data: 1", "")
    assert "\r" not in events
    assert list(json_seq_of([body_of(sa.json_seq([item, 1]))])) == [read, 1]


@each_fragment
@pytest.mark.parametrize("encoded", [b'"a\nb"', b"1\n2", b'1\n\ndata: {"forged": true}', b'{"a":\n'])
@pytest.mark.parametrize("shortcut", [sa.ndjson, sa.sse, sa.json_seq])
def test_fragment_that_would_break_the_framing_is_an_error(
    shortcut: Callable[..., sa.Response], encoded: bytes, fragment: Callable[[bytes], Any]
) -> None:
    with pytest.raises(ChunkValueError) as caught:
        body_of(shortcut([fragment(encoded)]))
    assert "forged" not in str(caught.value)


@each_fragment
def test_carriage_return_inside_text_is_an_error_in_events(fragment: Callable[[bytes], Any]) -> None:
    with pytest.raises(ChunkValueError):
        body_of(sa.sse([fragment(b'"a\rdata: b"')]))


@each_fragment
def test_record_separator_inside_a_sequence_is_an_error(fragment: Callable[[bytes], Any]) -> None:
    with pytest.raises(ChunkValueError, match="record separator"):
        body_of(sa.json_seq([fragment(b'"a\x1e1\n"'.replace(b"\n", b""))]))
