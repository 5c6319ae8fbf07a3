"""What strangers write, made up: no parser raises, and what goes out cannot be read as anything else.

Some dozens of examples each by default, thousands by `-m security`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream_adapter as sa
from stream_adapter._accept import CODINGS, acceptable_codings, quality_of, read_qualities
from stream_adapter._adapters.environ import environ_of
from stream_adapter._adapters.scope import scope_of
from stream_adapter._check.events import parse
from stream_adapter._disposition import content_disposition
from stream_adapter._headers import content_length
from stream_adapter.files._conditions import Validators, evaluate, range_applies
from stream_adapter.files._ranges import MAX_RANGES, parse_ranges
from stream_adapter.formats import CSV, NDJSON, JSONSeq
from stream_adapter.integration import RequestHead, merge_headers, outgoing_head
from tests.security.worst import WORST

CHARACTERS = st.characters(max_codepoint=0xFF)
PIECES = (
    *("bytes", "=", "-", ",", ";", "q=", "0", "1", "9999999999", '"', "W/", "*", "/", "\\", " ", "\t", "a/b", "gzip"),
    *("Mon, ", "01 Jan ", "2024", " 00:00:00", " GMT", " +9999", "\xff", "%", "&last_event_id=", "[", "("),
)


def _worst(kind: str, size: int) -> str:
    return WORST[kind](size)


FIELD = (
    st.text(CHARACTERS, max_size=80)
    | st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
    | st.builds(_worst, st.sampled_from(sorted(WORST)), st.integers(9, 9000))
)
NAME = st.text(st.characters(max_codepoint=0x180), max_size=6) | st.sampled_from(["Vary", "set-cookie", "X-A", "TE"])
VALUE = st.text(st.characters(max_codepoint=0x180), max_size=12) | st.sampled_from(["a=1; Path=/", "Accept", "*", "3"])
PAIRS = st.lists(st.tuples(NAME, VALUE), max_size=6)
TEXT = st.text(max_size=30) | st.text("\r\n\0\x1e\u2028\u2029\x85\x0b\x0c :,\"'=+-@\t\ufeff", max_size=30)
SCALAR = TEXT | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
INNER = SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(TEXT, SCALAR, max_size=3)
JSON = INNER | st.lists(INNER, max_size=3) | st.dictionaries(TEXT, INNER, max_size=3)


def accept(field: str) -> None:
    qualities = read_qualities(field)
    assert all(0 <= quality <= 1 for quality in qualities.values())
    assert 0 <= quality_of("application/json", qualities)[0] <= 1


def accept_encoding(field: str) -> None:
    assert set(acceptable_codings(field)) <= set(CODINGS)


def ranges(field: str) -> None:
    parts = parse_ranges(field, 1000)
    assert parts is None or len(parts) <= MAX_RANGES
    assert all(0 <= part.start < part.stop <= 1000 for part in parts or ())
    assert sum(map(len, parts or ())) <= 1000


def conditions(field: str) -> None:
    current = Validators('"a"', "Mon, 01 Jan 2024 00:00:00 GMT")
    for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"):
        assert evaluate({name: field}, current) in {None, 304, 412}
    assert range_applies({"if-range": field}, current) in {True, False}


def event_id(field: str) -> None:
    for head in (
        RequestHead.from_environ({"HTTP_LAST_EVENT_ID": field, "QUERY_STRING": field}),
        RequestHead.from_scope({"headers": [(b"last-event-id", field.encode("latin-1"))]}),
        RequestHead.from_environ({"QUERY_STRING": f"last_event_id={field}"}),
    ):
        found = head.last_event_id
        assert found is None or not re.search(r"[\r\n\0]", found)


def length(field: str) -> None:
    try:
        found = content_length([("Content-Length", field)])
    except ValueError:
        return
    assert found == int(field)


def heads(pairs: list[tuple[str, str]]) -> None:
    try:
        _, checked = outgoing_head(200, pairs)
    except ValueError:
        return
    lines = "".join(f"{name}: {value}\r\n" for name, value in checked)
    assert re.fullmatch(r"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*", lines)


def merges(both: tuple[list[tuple[str, str]], list[tuple[str, str]]]) -> None:
    stream, framework = both
    before = list(stream), list(framework)
    try:
        merged = merge_headers(stream, framework)
    except ValueError:
        merged = []
    assert (stream, framework) == before
    names = [name.lower() for name, _ in merged]
    if any(name.lower() == "vary" for name, _ in stream):
        assert names.count("vary") <= 1
    assert {"te", "connection", "transfer-encoding"}.isdisjoint(names)
    cookies = [value for name, value in merged if name.lower() == "set-cookie"]
    for cookie in {value for name, value in framework if name.lower() == "set-cookie" and merged}:
        assert cookie in cookies


def file_names(name: str) -> None:
    value = content_disposition("attachment", name)
    assert re.fullmatch(r'attachment; filename="?[ -~]+"?(?:; filename\*=[!-~]+)?', value)
    assert value.count('"') in {0, 2}


def targets(field: str) -> None:
    raw = field.encode("latin-1")
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": raw.decode("utf-8", "replace"),
        "query_string": raw,
        "headers": [(b"x-a", raw), (b"cookie", raw), (b"cookie", raw)],
        "server": ("localhost", 80),
    }
    environ = environ_of(scope, io.BytesIO())
    assert scope_of(environ, {})["query_string"] == raw
    assert environ["HTTP_COOKIE"] == f"{field}; {field}"


def events_read(field: str) -> None:
    parse(field.encode("latin-1"), ended=True)


def lines(item: object) -> None:
    encoded = NDJSON().encode(item)
    assert encoded.count(b"\n") == 1
    assert json.loads(encoded) == item


def sequences(item: object) -> None:
    encoded = JSONSeq().encode(item)
    assert (encoded[:1], encoded[-1:], encoded.count(b"\x1e")) == (b"\x1e", b"\n", 1)


def rows(row: list[str]) -> None:
    encoded = CSV().encode(row).decode()
    assert list(csv.reader(io.StringIO(encoded, newline=""))) == [row]


def events(data: object) -> None:
    encoded = b"".join(sa.iter_bytes(sa.sse([data], retry=None)))
    assert encoded.endswith(b"\n\n")
    assert all(re.match(rb"data: ", line) for line in encoded[:-2].split(b"\n"))
    assert b"\r" not in encoded


FUZZED: dict[str, tuple[Callable[[Any], None], st.SearchStrategy[Any]]] = {
    "Accept": (accept, FIELD),
    "Accept-Encoding": (accept_encoding, FIELD),
    "Range": (ranges, FIELD | FIELD.map("bytes={}".format)),
    "conditions and dates": (conditions, FIELD),
    "Last-Event-ID": (event_id, FIELD),
    "Content-Length": (length, FIELD | st.integers().map(str)),
    "a head": (heads, PAIRS),
    "a merge of heads": (merges, st.tuples(PAIRS, PAIRS)),
    "a file's name": (file_names, st.text(max_size=40) | TEXT),
    "path, query and cookies": (targets, st.text(CHARACTERS, max_size=40)),
    "events, as check reads them": (events_read, FIELD),
    "NDJSON": (lines, JSON),
    "a JSON sequence": (sequences, JSON),
    "CSV": (rows, st.lists(TEXT.map(lambda text: text.replace("\0", "")), min_size=2, max_size=4)),
    "SSE": (events, (TEXT | JSON).filter(lambda data: data != "")),
}


@pytest.mark.parametrize("examples", [40, pytest.param(4000, marks=pytest.mark.security)])
@pytest.mark.parametrize("name", FUZZED)
def test_whatever_is_made_up_is_read_or_written_safely(name: str, examples: int) -> None:
    check, made_up = FUZZED[name]

    @settings(max_examples=examples, deadline=None, database=None)
    @given(made_up)
    def fuzz(value: Any) -> None:
        check(value)

    fuzz()
