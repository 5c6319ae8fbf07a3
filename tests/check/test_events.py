"""An event stream, line by line, as a browser reads it."""

from __future__ import annotations

import pytest

import stream_adapter as sa
from stream_adapter._check.events import parse
from tests.support.interfaces import call_wsgi


@pytest.mark.parametrize(
    ("stream", "events", "ids", "retry"),
    [
        (b"", 0, [], None),
        (b"data: a\n\n", 1, [], None),
        (b"data:a\r\rdata: b\r\n\r\n", 2, [], None),
        (b"data\n\n", 1, [], None),
        (b"\xef\xbb\xbfid: 1\ndata: a\n\n", 1, ["1"], None),
        (b"retry: 2000\n\nid: 1\ndata: a\n\nid\ndata: b\n\n", 2, ["1", ""], 2000),
        (b"id: 7\n\n", 0, ["7"], None),
        (b": comment\n\ndata: a\n\n", 1, [], None),
    ],
)
def test_parse_counts_dispatched_events(stream: bytes, events: int, ids: list[str], retry: int | None) -> None:
    result = parse(stream, ended=True)
    assert (result.events, result.ids, result.retry, result.problems) == (events, ids, retry, [])


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        (b"dat: a\n\n", "line 1: unknown field; the line is ignored: 'dat: a'"),
        (b"data: a\n\n{}\n\n", "line 3: unknown field; the line is ignored: '{}'"),
        (b"retry: 2s\n\n", "line 1: retry must be digits only; '2s' is ignored"),
        (b"id: a\0b\ndata: a\n\n", "line 1: an id must not contain NUL; it is ignored"),
        (b"event: tick\n\n", "line 2: an event must have data to be dispatched; send an empty data: line"),
        (b"data: a\n\ndata: b\n", "the stream must end with an empty line: its last event is not dispatched"),
        (b"data: \xff\n\n", "byte 6: the stream must be UTF-8, and is not"),
    ],
)
def test_parse_reports_what_a_browser_ignores_with_its_line(stream: bytes, problem: str) -> None:
    assert parse(stream, ended=True).problems == [problem]


@pytest.mark.parametrize("cut", range(1, 40))
def test_open_stream_may_stop_anywhere_without_a_problem(cut: int) -> None:
    stream = "id: 1\nevent: tick\ndata: grün\n\nretry: 1\n\n".encode()
    assert parse(stream[:cut], ended=False).problems == []


def test_streams_of_this_library_are_valid() -> None:
    events = sa.sse(["a", sa.ServerSentEvent({"b": 1}, event="c", id="2"), "d\r\ne"])
    result = parse(call_wsgi(events).body, ended=True)
    assert (result.events, result.ids, result.retry, result.problems) == (3, ["2"], 2000, [])
