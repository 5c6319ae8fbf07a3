"""No format named: the first item decides, and the Content-Type follows it. A named media type never reframes."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

import stream_adapter as sa
from stream_adapter.integration import RequestHead, SyncBody
from tests.support.interfaces import SOURCES, Answer, Call, call_wsgi, four_paths
from tests.support.sources import CountingSource, in_way


class Colour(enum.StrEnum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int = 1


OCTETS, TEXT = "application/octet-stream", "text/plain; charset=utf-8"
NDJSON, SSE = "application/x-ndjson", "text/event-stream"
IDENTITY = UUID("12345678-1234-5678-1234-567812345678")

FIRST_ITEMS: list[tuple[list[object], str, bytes]] = [
    ([b"a", "b"], OCTETS, b"ab"),
    ([bytearray(b"a"), 1], OCTETS, b"a1"),
    ([memoryview(b"a"), {"x": 1}], OCTETS, b'a{"x":1}'),
    ([b"", "b"], OCTETS, b"b"),
    (["a", b"b", 1], TEXT, b"ab1"),
    ([1, "a"], TEXT, b"1a"),
    ([1.5, 2], TEXT, b"1.52"),
    ([Decimal("1.10")], TEXT, b"1.10"),
    ([True, None, "a"], NDJSON, b'true\nnull\n"a"\n'),
    ([{"x": 1}, "a", 2], NDJSON, b'{"x":1}\n"a"\n2\n'),
    ([[1], None], NDJSON, b"[1]\nnull\n"),
    ([(1, 2)], NDJSON, b"[1,2]\n"),
    ([Point(), Point(2)], NDJSON, b'{"x":1}\n{"x":2}\n'),
    ([date(2026, 1, 2)], NDJSON, b'"2026-01-02"\n'),
    ([IDENTITY], NDJSON, b'"12345678-1234-5678-1234-567812345678"\n'),
    ([Colour.RED], NDJSON, b'"red"\n'),
    ([sa.ServerSentEvent("a"), "b", {"x": 1}], SSE, b'data: a\n\ndata: b\n\ndata: {"x":1}\n\n'),
    ([], TEXT, b""),
]


@four_paths
@pytest.mark.parametrize(("items", "content_type", "body"), FIRST_ITEMS)
def test_the_first_item_decides_the_format(
    items: list[object], content_type: str, body: bytes, way: str, call: Call
) -> None:
    answer = call(sa.Response(in_way(way, iter(items))))
    assert answer.header("content-type") == [content_type]
    assert answer.body.removeprefix(b"retry: 2000\n") == body
    assert answer.complete


@four_paths
@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([{"x": 1}, b"a"], "chunk 1: expected a JSON value, got bytes"),
        ([sa.ServerSentEvent("a"), b"b"], "chunk 1: sse takes ServerSentEvent, text and JSON values, got bytes"),
        (
            ["a", sa.ServerSentEvent("b")],
            "chunk 1: expected bytes, text, number or JSON value, got stream_adapter.ServerSentEvent",
        ),
        ([None], "chunk 0: expected bytes, text, number or JSON value, got None"),
    ],
)
def test_a_later_item_that_the_format_cannot_carry_is_named(
    items: list[object], problem: str, way: str, call: Call
) -> None:
    answer = call(sa.Response(in_way(way, iter(items))))
    assert isinstance(answer.error, sa.ChunkEncodingError)
    assert problem in str(answer.error)


def test_where_the_framework_says_so_unnamed_text_is_html() -> None:
    def content_type_of(*items: object) -> str:
        body = SyncBody(sa.Response(iter(items)).resolve(RequestHead(), text_media_type="text/html"))
        body.start()
        body.close()
        return dict(body.headers)["Content-Type"]

    assert content_type_of("a") == "text/html; charset=utf-8"
    assert content_type_of(b"a") == OCTETS
    assert content_type_of({"a": 1}) == NDJSON


@pytest.mark.parametrize(
    ("content", "content_type", "body"),
    [
        ({"a": 1}, "application/json", b'{"a":1}'),
        (Point(), "application/json", b'{"x":1}'),
        ("text", TEXT, b"text"),
        (b"bytes", OCTETS, b"bytes"),
        (None, TEXT, b""),
    ],
)
def test_one_value_alone_is_a_document(content: object, content_type: str, body: bytes) -> None:
    answer = call_wsgi(sa.Response(content))
    assert answer.header("content-type") == [content_type]
    assert answer.body == body


@four_paths
@pytest.mark.parametrize("named", ["media_type", "header"])
def test_an_explicit_media_type_never_reframes(named: str, way: str, call: Call) -> None:
    source = in_way(way, iter([{"a": 1}, "b\n", b"c"]))
    if named == "media_type":
        response = sa.Response(source, media_type="application/vnd.x+json")
    else:
        response = sa.Response(source, headers={"content-type": "application/vnd.x+json"})
    answer = call(response)
    assert answer.header("content-type") == ["application/vnd.x+json"]
    assert answer.body == b'{"a":1}b\nc'


@four_paths
def test_framed_bytes_under_text_event_stream_get_its_headers_and_no_framing(way: str, call: Call) -> None:
    answer = call(sa.Response(in_way(way, iter([b"data: 1\n\n"])), media_type="text/event-stream"))
    assert answer.body == b"data: 1\n\n"
    assert answer.header("content-type") == [SSE]
    assert answer.header("cache-control") == ["no-store, no-transform"]
    assert answer.header("x-accel-buffering") == ["no"]


SAFE = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
LIVE = {**SAFE, "x-accel-buffering": "no"}
HEADERS: list[tuple[sa.Response, dict[str, str]]] = [
    (sa.text(["a"]), {**LIVE, "content-type": TEXT}),
    (sa.html(["a"]), {**LIVE, "content-type": "text/html; charset=utf-8"}),
    (sa.ndjson([1]), {**LIVE, "content-type": NDJSON}),
    (sa.json_seq([1]), {**LIVE, "content-type": "application/json-seq"}),
    (sa.json_array([1]), {**SAFE, "content-type": "application/json"}),
    (sa.csv([[1]]), {**SAFE, "content-type": "text/csv; charset=utf-8"}),
    (sa.sse(["a"]), {**LIVE, "content-type": SSE, "cache-control": "no-store, no-transform"}),
    (sa.Response(iter(["a"])), {**LIVE, "content-type": TEXT, "vary": "Accept"}),
    (sa.Response(iter([b"a"])), {**SAFE, "content-type": OCTETS}),
    (sa.Response(iter([b"a"]), media_type="text/plain"), {**LIVE, "content-type": TEXT}),
    (sa.Response(b"a"), {**SAFE, "content-type": OCTETS, "content-length": "1"}),
]


@pytest.mark.parametrize(("response", "headers"), HEADERS)
def test_shortcut_sets_the_headers_that_its_format_needs(response: sa.Response, headers: dict[str, str]) -> None:
    answer = call_wsgi(response)
    assert {name.lower(): value for name, value in answer.headers} == headers


@pytest.mark.parametrize("status", [204, 304])
def test_response_without_a_body_changes_nothing_that_a_cache_has_stored(status: int) -> None:
    answer = call_wsgi(sa.Response(iter([b"a"]), status_code=status, media_type="text/csv"))
    assert answer.header("cache-control") == []


def test_a_header_of_the_users_replaces_a_default_of_any_case() -> None:
    given = {"cache-control": "no-cache", "X-ACCEL-BUFFERING": "yes", "content-type": "text/event-stream; v=1"}
    answer = call_wsgi(sa.sse(["a"], headers=given))
    assert answer.header("Cache-Control") == ["no-cache"]
    assert answer.header("X-Accel-Buffering") == ["yes"]
    assert answer.header("Content-Type") == ["text/event-stream; v=1"]


def test_the_charset_is_announced_and_used() -> None:
    announced: Answer = call_wsgi(sa.text(iter(["é"]), charset="latin-1"))
    assert announced.header("content-type") == ["text/plain; charset=iso8859-1"]
    assert announced.body == b"\xe9"
    declared = call_wsgi(sa.Response(iter(["é"]), media_type="text/csv; charset=latin-1"))
    assert declared.header("content-type") == ["text/csv; charset=latin-1"]
    assert declared.body == b"\xe9"


@pytest.mark.parametrize("first", [b"", "", {"a": 1}])
def test_start_pulls_one_item_although_it_is_empty(first: object) -> None:
    source = CountingSource([first, b"more"])
    body = SyncBody(sa.Response(source).resolve())
    body.start()
    assert source.steps == 1
    body.close()


@pytest.mark.parametrize("items", [[object()], ["a", object()], ["\ud800"], ["a", "\ud800"]])
@four_paths
def test_an_encoding_error_is_never_its_own_cause(items: list[object], way: str, call: Call) -> None:
    errors: list[BaseException | None] = []
    with contextlib.suppress(sa.ChunkEncodingError):
        call(sa.Response(SOURCES[way](items), on_close=lambda summary: errors.append(summary.error)))
    (error,) = errors
    seen: list[BaseException] = []
    while error is not None:
        assert error not in seen
        seen.append(error)
        error = error.__cause__ or error.__context__
    assert isinstance(seen[0], sa.ChunkEncodingError)
