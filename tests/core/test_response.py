"""The value: what is sent for one request, for each status and method, and how often."""

from __future__ import annotations

import pytest

import stream_adapter as sa
from stream_adapter.formats import NDJSON
from stream_adapter.integration import RequestHead, as_response, is_stream
from tests.support.interfaces import SOURCES, Call, call_wsgi, either_interface, four_paths


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, "OK"), (404, "Not Found"), (418, "I'm a Teapot"), (299, "Unknown"), (599, "Unknown")]
)
def test_the_status_line_has_its_phrase(status: int, phrase: str) -> None:
    answer = call_wsgi(sa.Response(iter([b"a"]), status_code=status))
    assert (answer.status, answer.reason) == (status, phrase)


@either_interface
@pytest.mark.parametrize(
    ("content", "length"), [(b"abc", "3"), ("grün", "5"), ({"a": 1}, "7"), (None, "0"), (b"", "0"), (bytearray(2), "2")]
)
def test_a_body_of_one_chunk_has_its_length(content: object, length: str, call: Call) -> None:
    answer = call(sa.Response(content))
    assert answer.header("content-length") == [length]
    assert len(answer.body) == int(length)


@four_paths
def test_stream_is_sent_without_content_length(way: str, call: Call) -> None:
    answer = call(sa.Response(SOURCES[way]([b"abc"])))
    assert answer.header("content-length") == []


@either_interface
def test_a_length_that_is_given_is_kept(call: Call) -> None:
    answer = call(sa.Response(iter([b"abc"]), headers={"Content-Length": "3"}))
    assert answer.header("content-length") == ["3"]


@four_paths
def test_head_has_the_headers_and_no_body_and_never_asks_the_source(way: str, call: Call) -> None:
    source = SOURCES[way]([b"abc"])
    answer = call(sa.Response(source, media_type="text/csv", headers={"X-A": "1"}), method="HEAD")
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)
    assert answer.header("content-type") == ["text/csv; charset=utf-8"]
    assert answer.header("x-a") == ["1"]
    assert (source.steps, source.closes) == (0, 1)


@either_interface
def test_head_of_a_body_of_one_chunk_keeps_its_length(call: Call) -> None:
    answer = call(sa.Response(b"abc"), method="HEAD")
    assert (answer.body, answer.header("content-length")) == (b"", ["3"])


@four_paths
@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_closes_the_source_unasked(status: int, way: str, call: Call) -> None:
    source = SOURCES[way]([b"abc"])
    answer = call(sa.Response(source, status_code=status, media_type="text/csv", headers={"X-A": "1"}))
    assert (answer.status, answer.body, answer.complete) == (status, b"", True)
    assert [(name.lower(), value) for name, value in answer.headers] == [("x-a", "1")]
    assert (source.steps, source.closes) == (0, 1)


@four_paths
def test_a_source_that_can_be_read_once_is_served_once(way: str, call: Call) -> None:
    response = sa.Response(SOURCES[way]([b"a"]))
    assert call(response).body == b"a"
    second = call(response)
    assert isinstance(second.error, sa.StreamConsumedError)
    assert isinstance(second.error, RuntimeError)
    assert "CountingSource was already consumed; create a new one for each request" in str(second.error)
    assert second.status is None


@either_interface
@pytest.mark.parametrize("content", [b"ab", "ab", [b"a", "b"], ("a", b"b")])
def test_response_of_reusable_content_is_served_several_times(content: object, call: Call) -> None:
    response = sa.Response(content)
    assert [call(response).body for _ in range(3)] == [b"ab"] * 3


@either_interface
def test_description_is_another_name_for_content(call: Call) -> None:
    assert call(sa.Response(description=iter([b"a", b"b"]))).body == b"ab"


def test_content_and_description_together_are_an_error() -> None:
    with pytest.raises(TypeError, match="pass either content or description, not both"):
        sa.Response(b"a", description=b"b")


def test_response_called_with_one_argument_names_both_signatures() -> None:
    with pytest.raises(
        TypeError, match=r"takes \(environ, start_response\) or \(scope, receive, send\), got 1 arguments"
    ):
        sa.Response(b"")({})  # type: ignore[call-overload]  # the mistake that is tested


def test_repr_of_a_response_has_status_and_content_class() -> None:
    assert repr(sa.Response([b""], status_code=201)) == "<Response 201 of list>"


def test_with_defaults_fills_in_absent_options_only() -> None:
    response = sa.Response([b"a"], status_code=201, headers={"X-A": "own"})
    filled = response.with_defaults(
        status_code=202, charset="latin-1", flush="item", headers={"x-a": "default", "X-B": "default"}
    )
    assert (filled.status_code, filled.charset, filled.flush) == (201, "iso8859-1", "item")
    assert sorted(filled.headers) == [("X-A", "own"), ("X-B", "default")]
    assert (response.charset, list(response.headers)) == ("utf-8", [("X-A", "own")])


@pytest.mark.parametrize(
    "given",
    [{"media_type": "text/csv"}, {"format": NDJSON()}, {"headers": {"content-type": "text/csv"}}],
    ids=["media_type", "format", "header"],
)
def test_a_default_format_does_not_override_a_media_type_or_format_of_the_responses_own(given: sa.Response) -> None:
    own = sa.Response([1], **given)  # type: ignore[arg-type]  # a table of options
    filled = own.with_defaults(format=NDJSON(), media_type="application/default")
    assert call_wsgi(filled).header("content-type") == call_wsgi(own).header("content-type")


def test_a_default_of_strict_leaves_a_format_that_frames_alone() -> None:
    assert call_wsgi(sa.ndjson([1]).with_defaults(strict=True)).body == b"1\n"
    assert isinstance(call_wsgi(sa.Response(iter(["a"])).with_defaults(strict=True)).error, sa.StrictEncodingError)


def test_a_response_and_its_filled_copy_share_one_source() -> None:
    response = sa.Response(iter([b"a"]))
    assert call_wsgi(response.with_defaults(status_code=201)).body == b"a"
    assert isinstance(call_wsgi(response).error, sa.StreamConsumedError)


def test_as_response_makes_a_response_or_fills_in_its_options() -> None:
    assert as_response([b"a"], status_code=201).status_code == 201
    assert as_response(sa.Response([b"a"], status_code=202), status_code=201).status_code == 202


async def async_generator() -> object:
    return None


@pytest.mark.parametrize(
    "value", [iter([1]), (chunk for chunk in [b"a"]), map(str, ()), sa.Response(b""), SOURCES["async"]()]
)
def test_an_app_wide_adapter_takes_iterators_and_responses(value: object) -> None:
    assert is_stream(value)


@pytest.mark.parametrize("value", [[1], (1,), {"a": 1}, "text", b"bytes", None, range(3), {1}, object()])
def test_is_stream_is_false_for_lists_dicts_and_text(value: object) -> None:
    assert not is_stream(value)


def test_resolving_without_a_request_is_a_get() -> None:
    resolved = sa.Response(b"abc").resolve()
    assert (resolved.status, resolved.body) == (200, b"abc")
    assert sa.Response(b"abc").resolve(RequestHead("HEAD")).body == b""


def test_a_request_heads_headers_are_found_by_lower_case_name() -> None:
    of_environ = RequestHead.from_environ({"REQUEST_METHOD": "GET", "HTTP_IF_RANGE": "a", "CONTENT_TYPE": "text/csv"})
    of_scope = RequestHead.from_scope(
        {
            "method": "GET",
            "headers": [(b"if-range", b"a"), (b"content-type", b"text/csv"), (b"X-A", b"1"), (b"x-a", b"2")],
        }
    )
    for head in (of_environ, of_scope):
        assert head.method == "GET"
        assert head.headers.get("if-range") == "a"
        assert head.headers.get("content-type") == "text/csv"
        assert head.headers.get("absent") is None
    assert of_scope.headers.get("x-a") == "1, 2"
    assert RequestHead().headers.get("any") is None
