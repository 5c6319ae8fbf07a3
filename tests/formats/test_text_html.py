"""Text and HTML: chunks as they come, or, for HTML, one body with a Content-Length."""

from __future__ import annotations

from typing import Any

import jinja2
import markupsafe
import pytest

import stream_adapter as sa
from tests.support.interfaces import INTERFACES, SOURCES, Call, four_paths
from tests.support.sources import AsyncCountingSource, in_way

PAGE: list[object] = ["<p>", 1, markupsafe.Markup("&amp;"), b"\xc3\xa4", "ä</p>"]
BODY = "<p>1&amp;ää</p>".encode()


@four_paths
def test_text_is_never_sniffed_for_another_type(way: str, call: Call) -> None:
    answer = call(sa.text(in_way(way, iter(["<script>", "alert(1)"]))))
    assert answer.header("content-type") == ["text/plain; charset=utf-8"]
    assert answer.header("x-content-type-options") == ["nosniff"]
    assert answer.header("x-accel-buffering") == ["no"]
    assert answer.body == b"<script>alert(1)"


@four_paths
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
def test_html_is_the_same_streamed_and_whole(way: str, call: Call, *, streaming: bool) -> None:
    answer = call(sa.html(in_way(way, iter(PAGE)), streaming=streaming))
    assert answer.body == BODY
    assert answer.complete
    assert answer.header("content-type") == ["text/html; charset=utf-8"]
    assert answer.header("content-length") == ([] if streaming else [str(len(BODY))])


@four_paths
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
def test_the_source_of_html_is_closed_once(method: str, way: str, call: Call, *, streaming: bool) -> None:
    source = SOURCES[way](PAGE)
    answer = call(sa.html(source, streaming=streaming), method=method)
    assert answer.complete
    assert source.closes == 1


@pytest.mark.parametrize("call", INTERFACES.values(), ids=INTERFACES)
def test_whole_html_that_fails_is_an_error_before_anything_is_sent(call: Call) -> None:
    source = AsyncCountingSource(["<p>", LookupError()])
    answer = call(sa.html(source, streaming=False))
    assert isinstance(answer.error, LookupError)
    assert answer.status is None
    assert source.closes == 1


def test_whole_html_of_a_sync_source_fails_where_it_is_made() -> None:
    with pytest.raises(sa.ChunkEncodingError, match="chunk 1: expected bytes, text, number or JSON value, got None"):
        sa.html(iter(["<p>", None]), streaming=False)


@four_paths
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
def test_the_options_of_a_response_hold_for_html(way: str, call: Call, *, streaming: bool) -> None:
    endings = list[sa.StreamSummary]()
    options: dict[str, Any] = {"charset": "latin-1", "status_code": 203, "headers": {"X-A": "b"}}
    answer = call(sa.html(in_way(way, iter("ä")), streaming=streaming, on_close=endings.append, **options))
    assert (answer.status, answer.body) == (203, b"\xe4")
    assert answer.header("content-type") == ["text/html; charset=iso8859-1"]
    assert answer.header("x-a") == ["b"]
    assert [summary.reason for summary in endings] == ["done"]


@four_paths
def test_strict_html_takes_bytes_only(way: str, call: Call) -> None:
    answer = call(sa.html(in_way(way, iter(["<p>"])), strict=True))
    assert isinstance(answer.error, sa.StrictEncodingError)


@pytest.mark.parametrize("content", ["<p>", b"<p>", None, ["<p>"]], ids=repr)
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("call", INTERFACES.values(), ids=INTERFACES)
def test_html_accepts_one_text_as_the_whole_page(content: Any, call: Call, *, streaming: bool) -> None:
    answer = call(sa.html(content, streaming=streaming))
    assert answer.body == (b"" if content is None else b"<p>")
    assert answer.header("content-type") == ["text/html; charset=utf-8"]


TEMPLATE = "<ul>{% for row in rows %}<li>{{ row }}</li>{% endfor %}</ul>"


@four_paths
def test_a_jinja_template_is_a_source(way: str, call: Call) -> None:
    environment = jinja2.Environment(autoescape=True, enable_async=way == "async")
    template = environment.from_string(TEMPLATE)
    page = template.generate(rows="<>") if way == "sync" else template.generate_async(rows="<>")
    answer = call(sa.html(page))
    assert answer.body == b"<ul><li>&lt;</li><li>&gt;</li></ul>"
