"""Headers: validated when the response is made, repeated where asked, hop-by-hop ones dropped."""

from __future__ import annotations

import logging

import pytest
from werkzeug.datastructures import Headers

import stream_adapter as sa
from stream_adapter.types import HeadersInput
from tests.support.interfaces import Call, either_interface

BAD_HEADERS: list[tuple[object, type[Exception], str]] = [
    ({"X-A": "a\r\nSet-Cookie: b=1"}, ValueError, "the value of X-A has a control or non-latin-1 character"),
    ({"X-A": "a\nb"}, ValueError, "the value of X-A"),
    ({"X-A": "a\rb"}, ValueError, "the value of X-A"),
    ({"X-A": "a\0b"}, ValueError, "the value of X-A"),
    ({"X-A": "a\x7fb"}, ValueError, "the value of X-A"),
    ({"X-A": "a\x1bb"}, ValueError, "the value of X-A"),
    ({"X-A": "€"}, ValueError, "the value of X-A"),
    ({"X A": "a"}, ValueError, "invalid field name 'X A'"),
    ({"X-A:": "a"}, ValueError, "invalid field name 'X-A:'"),
    ({"X-A\r\n": "a"}, ValueError, "invalid field name"),
    ({"": "a"}, ValueError, "invalid field name ''"),
    ({"X-Ä": "a"}, ValueError, "invalid field name 'X-Ä'"),
    ({"X-A": 1}, TypeError, "expected text for a name and its value, got str and int"),
    ({"X-A": None}, TypeError, "expected text for a name and its value, got str and NoneType"),
    ({b"X-A": "a"}, TypeError, "expected text for a name and its value, got bytes and str"),
    ([("X-A", "a", "b")], TypeError, "expected pairs of name and value"),
    ([5], TypeError, "expected pairs of name and value, got int"),
    ({"X-A": ["a", "b\r\n"]}, ValueError, "the value of X-A"),
]


@pytest.mark.parametrize(("headers", "kind", "problem"), BAD_HEADERS)
def test_a_bad_header_is_an_error_when_the_response_is_made(
    headers: HeadersInput, kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        sa.Response(b"", headers=headers)
    assert problem in str(caught.value)


SAME_TWO_COOKIES: list[HeadersInput] = [
    {"Set-Cookie": ["a=1", "b=2"], "X-A": "é"},
    {"Set-Cookie": ("a=1", "b=2"), "X-A": "é"},
    [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-A", "é")],
    Headers([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-A", "é")]),
]


@either_interface
@pytest.mark.parametrize("headers", SAME_TWO_COOKIES, ids=["list", "tuple", "pairs", "Headers"])
def test_list_of_header_values_repeats_the_field(headers: HeadersInput, call: Call) -> None:
    answer = call(sa.Response(iter([b"a"]), headers=headers))
    assert answer.header("set-cookie") == ["a=1", "b=2"]
    assert answer.header("x-a") == ["é"]


@either_interface
@pytest.mark.parametrize(
    "name", ["Connection", "keep-alive", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Proxy-Connection"]
)
def test_hop_by_hop_fields_are_dropped_with_a_debug_line(
    name: str, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "stream_adapter"):
        answer = call(sa.Response(iter([b"a"]), headers={name: "value", "X-Kept": "1"}))
    assert answer.header(name) == []
    assert answer.header("X-Kept") == ["1"]
    lines = [record for record in caplog.records if name in record.getMessage()]
    assert {record.levelno for record in lines} == {logging.DEBUG}


def test_the_callers_headers_are_copied() -> None:
    given = Headers({"X-A": "1"})
    response = sa.Response(b"", headers=given)
    response.headers["X-B"] = "2"
    assert list(given) == [("X-A", "1")]


@either_interface
def test_headers_may_be_added_until_the_response_is_served(call: Call) -> None:
    response = sa.Response(iter([b"a"]))
    response.headers.add("X-Late", "1")
    assert call(response).header("x-late") == ["1"]
