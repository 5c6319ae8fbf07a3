"""What is read of a request is bounded, and what is malformed counts as absent."""

from __future__ import annotations

import pytest

from stream_adapter.integration import RequestHead

LONG = "a" * 8192


def head_of(field: str | None, query: str = "") -> list[RequestHead]:
    environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": query}
    pairs: list[tuple[bytes, bytes]] = []
    if field is not None:
        environ["HTTP_LAST_EVENT_ID"] = field
        pairs = [(b"Last-Event-ID", field.encode("latin-1"))]
    scope = {"type": "http", "method": "GET", "headers": pairs, "query_string": query.encode("latin-1")}
    return [RequestHead.from_environ(environ), RequestHead.from_scope(scope)]


@pytest.mark.parametrize(
    ("field", "query", "event_id"),
    [
        (LONG, "", LONG),
        (f"{LONG}a", "", None),
        (f"{LONG}a", "last_event_id=1", "1"),
        (None, f"last_event_id={LONG}", LONG),
        (None, f"last_event_id={LONG}a", None),
        (None, f"last_event_id={'%' * 65536}", None),
        (None, f"{'&' * 65536}last_event_id=7", "7"),
        (None, f"{'last_event_id=&' * 4096}last_event_id=7", "7"),
        (None, "my_last_event_id=7", None),
        (None, "a=1&last_event_id=a+b%C3%A9%", "a bé%"),
        (None, "last_event_id=%FF", None),
        ("\xff", "", None),
    ],
)
def test_event_id_that_is_too_long_or_not_text_counts_as_absent(
    field: str | None, query: str, event_id: str | None
) -> None:
    assert [head.last_event_id for head in head_of(field, query)] == [event_id, event_id]


def test_field_that_is_repeated_until_it_is_too_long_counts_as_absent() -> None:
    scope = {"type": "http", "headers": [(b"range", b"bytes=0-1")] * 1000}
    assert RequestHead.from_scope(scope).headers.get("range") is None
    scope["headers"] = [(b"range", b"bytes=0-1")] * 2
    assert RequestHead.from_scope(scope).headers.get("range") == "bytes=0-1, bytes=0-1"


@pytest.mark.parametrize(
    ("field", "query", "cursor"),
    [
        ("abc1.5", "", "abc1.5"),
        (None, "last_event_id=abc1.5", "abc1.5"),
        (None, "", None),
        ("", "", None),
        (None, "last_event_id=", None),
        (f"{LONG}a", "", ""),
        (f"{LONG}a", "last_event_id=abc1.5", "abc1.5"),
        (None, f"last_event_id={'%' * 65536}", ""),
        ("a\x00", "", ""),
        ("\xff", "", ""),
    ],
)
def test_cursor_that_no_event_had_is_not_taken_for_an_absent_one(
    field: str | None, query: str, cursor: str | None
) -> None:
    assert [head.cursor for head in head_of(field, query)] == [cursor, cursor]
