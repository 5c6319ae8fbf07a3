"""Where an event stream resumes: an id that a client may have been sent, or none."""

from __future__ import annotations

import pytest
from flask import Flask

from stream_adapter_flask import last_event_id

IDS: dict[str, tuple[str | None, str, str | None]] = {
    "neither": (None, "", None),
    "the header": ("42", "", "42"),
    "the query": (None, "?last_event_id=42", "42"),
    "the header before the query": ("1", "?last_event_id=2", "1"),
    "an empty header": ("", "?last_event_id=2", "2"),
    "an empty query": (None, "?last_event_id=", None),
    "UTF-8 in the header": ("é…".encode().decode("latin-1"), "", "é…"),
    "UTF-8 in the query": (None, "?last_event_id=%C3%A9", "é"),
    "a header that is not UTF-8": ("\xff", "", None),
    "a header that is not UTF-8, and a query": ("\xff", "?last_event_id=2", "2"),
    "a space and a tab": (None, "?last_event_id=a%20b%09c", "a b\tc"),
    "NUL": (None, "?last_event_id=a%00b", None),
    "a line feed": (None, "?last_event_id=a%0Ab", None),
    "DEL": (None, "?last_event_id=%7F", None),
    "a control in the header, and a query": ("a\x01", "?last_event_id=2", "2"),
}


@pytest.mark.parametrize(("header", "query", "expected"), IDS.values(), ids=IDS)
def test_last_event_id_is_of_the_header_or_the_query(
    app: Flask, header: str | None, query: str, expected: str | None
) -> None:
    environ = {} if header is None else {"HTTP_LAST_EVENT_ID": header}
    with app.test_request_context(f"/{query}", environ_overrides=environ):
        assert last_event_id() == expected
