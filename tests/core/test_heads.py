"""One place looks at every head that goes out, and a stream is as long as its head says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter import _headers
from stream_adapter.errors import ContentLengthError, RefusalError
from stream_adapter.formats import Format, Text
from stream_adapter.integration import outgoing_head
from tests.support.interfaces import Call, either_interface, four_paths
from tests.support.sources import AsyncCountingSource, CountingSource, in_way


def put_header(name: str, value: str) -> Callable[[sa.Response], object]:
    # as Werkzeug's Headers lets it be done: it looks for newlines in values only
    return lambda response: response.headers.extend([(name, value)])


def put(name: str, value: object) -> Callable[[sa.Response], object]:
    return lambda response: setattr(response, name, value)


class Forged(Format):
    headers = {"X-A": "a\r\nSet-Cookie: sid=1"}  # noqa: RUF012  # as a user would write it

    def encode(self, item: Any) -> bytes:
        return bytes(item)


CHANGES: dict[str, Callable[[sa.Response], object]] = {
    "a value with NUL": put_header("X-A", "a\0b"),
    "a value with VT": put_header("X-A", "a\vb"),
    "a value with ESC": put_header("X-A", "a\x1b[2J"),
    "a value beyond latin-1": put_header("X-A", "€"),
    "a name that holds a field": put_header("X-A: b\r\nSet-Cookie", "sid=1"),
    "a name with a space": put_header("X A", "b"),
    "an empty name": put_header("", "b"),
    "a length that is not a number": put_header("Content-Length", "+3"),
    "a length of many digits": put_header("Content-Length", "9" * 5000),
    "two lengths": lambda response: response.headers.extend([("Content-Length", "3"), ("Content-Length", "3")]),
    "an interim status": put("status_code", 103),
    "a status beyond 599": put("status_code", 600),
    "a status of text": put("status_code", "200"),
    "a media type with a field in it": put("media_type", "text/plain\r\nX: y"),
    "a format with a field in a value": put("format", Forged()),
}


@four_paths
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_bad_head_set_after_construction_is_an_error_before_any_byte(
    change: Callable[[sa.Response], object], way: str, call: Call
) -> None:
    response = sa.Response(in_way(way, iter([b"abc"])))
    change(response)
    answer = call(response)
    assert isinstance(answer.error, (ValueError, TypeError))
    assert (answer.status, answer.blocks) == (None, [])
    assert "sid=1" not in str(answer.error).partition("Set-Cookie")[2]


@either_interface
@pytest.mark.parametrize("change", [CHANGES["a value with NUL"], CHANGES["an interim status"]])
def test_bad_head_of_a_file_is_an_error_before_any_byte(
    change: Callable[[sa.Response], object], call: Call, tmp_path: Any
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    response = sa.file(path)
    change(response)
    answer = call(response)
    assert isinstance(answer.error, ValueError)
    assert (answer.status, answer.blocks) == (None, [])


class ForgedRefusalError(RefusalError):
    status_code = 429
    headers = {"X-A": "a\r\nb"}  # noqa: RUF012  # as a user would write it


@either_interface
def test_bad_head_of_a_refusal_is_an_error_before_any_byte(call: Call) -> None:
    def refuse() -> Iterator[bytes]:
        raise ForgedRefusalError("no")
        yield b""

    answer = call(sa.Response(refuse()))
    assert isinstance(answer.error, ValueError)
    assert answer.status is None


@pytest.mark.parametrize("status", [204, 304])
def test_head_without_a_body_has_no_length(status: int) -> None:
    assert outgoing_head(status, [("Content-Length", "3"), ("X-A", "1")]) == (status, [("X-A", "1")])
    assert outgoing_head(200, [("Content-Length", "3"), ("TE", "x")]) == (200, [("Content-Length", "3")])


LENGTHS = {
    "shorter": (2, 25, "expected a body of 25 bytes, got 20"),
    "shorter, of no items": (0, 25, "expected a body of 25 bytes, got 0"),
    "longer by an item": (3, 20, "expected a body of 20 bytes, got at least 30"),
    "longer within an item": (3, 25, "expected a body of 25 bytes, got at least 30"),
    "longer within the first": (1, 5, "expected a body of 5 bytes, got at least 10"),
    "longer than nothing": (1, 0, "expected a body of 0 bytes, got at least 10"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "item": {"flush": "item"},
    "bulk": {"flush": "bulk"},
    "reported": {"on_close": str},
    "timed": {"commit_after": 5.0},
}


@four_paths
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(("items", "length", "problem"), LENGTHS.values(), ids=LENGTHS)
def test_stream_that_does_not_keep_its_length_breaks_and_sends_no_more_than_promised(
    items: int, length: int, problem: str, options: dict[str, Any], way: str, call: Call
) -> None:
    source = AsyncCountingSource([b"a" * 10] * items) if way == "async" else CountingSource([b"a" * 10] * items)
    answer = call(sa.Response(source, headers={"Content-Length": str(length)}, **options))
    assert isinstance(answer.error, ContentLengthError)
    assert problem in str(answer.error) or "at least" in problem
    assert not answer.complete
    assert len(answer.body) <= length
    assert source.closes == 1


@four_paths
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_stream_that_keeps_its_length_is_complete(options: dict[str, Any], way: str, call: Call) -> None:
    response = sa.Response(in_way(way, iter([b"a" * 10, b"", b"b" * 10])), headers={"Content-Length": "20"}, **options)
    answer = call(response)
    assert (answer.complete, answer.body) == (True, b"a" * 10 + b"b" * 10)


@four_paths
def test_prefix_and_suffix_of_a_format_count_as_part_of_the_length(way: str, call: Call) -> None:
    def response(length: int) -> sa.Response:
        return sa.json_array(in_way(way, iter([1, 2])), headers={"Content-Length": str(length)})

    assert call(response(5)).body == b"[1,2]"
    assert isinstance(call(response(4)).error, ContentLengthError)
    assert isinstance(call(response(6)).error, ContentLengthError)


@four_paths
def test_failing_stream_with_a_length_sends_no_error_record(way: str, call: Call) -> None:
    def fail() -> Iterator[object]:
        yield 1
        raise ZeroDivisionError

    seen: list[BaseException] = []

    def on_error(error: BaseException) -> str:
        seen.append(error)
        return "failed"

    response = sa.ndjson(in_way(way, fail()), headers={"Content-Length": "1000"}, on_error=on_error)
    answer = call(response)
    assert (type(answer.error), answer.body) == (ZeroDivisionError, b"1\n")
    assert [type(error) for error in seen] == [ZeroDivisionError]


@four_paths
def test_broken_length_is_reported_as_an_error(way: str, call: Call) -> None:
    summaries: list[sa.StreamSummary] = []
    call(sa.Response(in_way(way, iter([b"a"])), headers={"Content-Length": "2"}, on_close=summaries.append))
    assert [(summary.reason, type(summary.error)) for summary in summaries] == [("error", ContentLengthError)]


@either_interface
def test_whole_body_that_is_not_of_its_length_is_an_error_before_any_byte(call: Call) -> None:
    async def later() -> bytes:
        return b"abc"

    for content in (b"abc", "abc", later()):
        answer = call(sa.Response(content, headers={"Content-Length": "4"}))
        assert isinstance(answer.error, ContentLengthError)
        assert answer.status is None


@either_interface
def test_answer_to_head_keeps_the_length_that_it_is_given(call: Call) -> None:
    for content in (None, b"abc", iter([b"abc"])):
        answer = call(sa.Response(content, headers={"Content-Length": "4"}), method="HEAD")
        assert (answer.error, answer.header("content-length"), answer.body) == (None, ["4"], b"")


@either_interface
@pytest.mark.parametrize("status", [204, 304])
def test_status_without_a_body_set_later_sends_no_body(status: int, call: Call) -> None:
    response = sa.Response(iter([b"abc"]), headers={"Content-Length": "3"})
    response.status_code = status
    answer = call(response)
    assert (answer.status, answer.body, answer.header("content-length")) == (status, b"", [])


class Word(str):
    __slots__ = ()


@either_interface
def test_field_that_equals_a_default_is_sent_as_exact_text(call: Call) -> None:
    assert call(sa.Response(b"abc")).header("x-content-type-options") == ["nosniff"]
    _, headers = outgoing_head(200, [(Word("X-Content-Type-Options"), Word("nosniff"))])
    assert headers == [("X-Content-Type-Options", "nosniff")]
    assert {type(text) for pair in headers for text in pair} == {str}


def test_name_of_a_file_is_not_kept_after_its_response() -> None:
    b"".join(sa.iter_bytes(sa.csv([[1]], filename="of-one-client.csv")))
    assert "of-one-client" not in repr(_headers._known)  # pyright: ignore[reportPrivateUsage]


def test_value_that_is_not_text_is_named_by_its_type() -> None:
    headers: Any = [("X-A", ["a"])]
    with pytest.raises(TypeError, match="expected text for a name and its value, got str and list"):
        outgoing_head(200, headers)


def test_options_set_later_count_as_given_when_defaults_are_filled_in() -> None:
    response = sa.Response(iter([b"a"]))
    response.status_code = 404
    response.headers["X-A"] = "mine"
    response.format = Text()
    response.commit_after = 1.5
    defaults: Any = {
        "status_code": 201,
        "headers": {"X-A": "of the adapter", "X-B": "b"},
        "media_type": "text/csv",
        "flush": "item",
    }
    filled = response.with_defaults(commit_after=9, **defaults)
    assert (filled.status_code, filled.format, filled.media_type) == (404, response.format, None)
    assert (filled.commit_after, filled.flush) == (1.5, "item")
    assert sorted(filled.headers) == [("X-A", "mine"), ("X-B", "b")]
    assert filled.resolve().flow.commit_after == 1.5


def test_headers_given_as_an_iterator_are_read_once() -> None:
    response = sa.Response(iter([b"a"]), headers=(pair for pair in [("X-A", "1")]))
    filled = response.with_defaults(flush="item").with_defaults(strict=True)
    assert list(filled.headers) == [("X-A", "1")]
