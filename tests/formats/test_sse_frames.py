"""Server-sent events (WHATWG HTML, section 9.2): what is written, and what another parser reads."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from enum import Enum
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from stream_adapter.formats import SSE

FIELDS: list[tuple[dict[str, Any], bytes]] = [
    ({"data": "a"}, b"data: a\n\n"),
    ({"data": ""}, b"data: \n\n"),
    ({"data": "a\nb"}, b"data: a\ndata: b\n\n"),
    ({"data": "a\r\nb"}, b"data: a\ndata: b\n\n"),
    ({"data": "a\rb"}, b"data: a\ndata: b\n\n"),
    ({"data": "a\n"}, b"data: a\ndata: \n\n"),
    ({"data": "\n\n"}, b"data: \ndata: \ndata: \n\n"),
    ({"data": "a\u2028b\x85c\x0bd\x0ce"}, "data: a\u2028b\x85c\x0bd\x0ce\n\n".encode()),
    ({"data": {"a": 1}}, b'data: {"a":1}\n\n'),
    ({"data": ["a\nb"]}, b'data: ["a\\nb"]\n\n'),
    ({"data": 5}, b"data: 5\n\n"),
    ({"data": True}, b"data: true\n\n"),
    ({"data": "a", "event": "tick"}, b"event: tick\ndata: a\n\n"),
    ({"data": "a", "id": "7"}, b"id: 7\ndata: a\n\n"),
    ({"data": "a", "id": ""}, b"id: \ndata: a\n\n"),
    ({"retry": 0}, b"retry: 0\n"),
    ({"comment": "a\nb"}, b": a\n: b\n"),
    ({"comment": ""}, b": \n"),
    (
        {"data": "a", "event": "e", "id": "1", "retry": 2, "comment": "c"},
        b": c\nevent: e\nid: 1\nretry: 2\ndata: a\n\n",
    ),
]


@pytest.mark.parametrize(("fields", "encoded"), FIELDS)
def test_each_field_of_an_event_is_encoded_as_its_line(fields: dict[str, Any], encoded: bytes) -> None:
    assert sa.ServerSentEvent(**fields).encoded == encoded


BAD_FIELDS: list[tuple[dict[str, Any], type[Exception], str]] = [
    *(
        ({name: f"a{control}b"}, ChunkValueError, f"ServerSentEvent.{name}: expected text without CR, LF and NUL")
        for name in ("event", "id")
        for control in "\r\n\0"
    ),
    ({"event": 5}, sa.ChunkEncodingError, "ServerSentEvent.event: expected text, got int"),
    ({"id": 5}, sa.ChunkEncodingError, "ServerSentEvent.id: expected text, got int"),
    ({"comment": b"a"}, sa.ChunkEncodingError, "ServerSentEvent.comment: expected text, got bytes"),
    ({"retry": -1}, ChunkValueError, "ServerSentEvent.retry: expected 0 or more milliseconds, got -1"),
    ({"retry": True}, sa.ChunkEncodingError, "ServerSentEvent.retry: expected whole milliseconds, got bool"),
    ({}, ChunkValueError, "expected data, event, id, retry or comment, got none of them"),
    ({"data": "\ud800"}, ChunkValueError, "expected text, got a lone surrogate"),
    ({"data": [float("nan")]}, ChunkValueError, "expected a finite number, got nan"),
    ({"data": object()}, sa.ChunkEncodingError, "expected a JSON value, got object"),
]


@pytest.mark.parametrize(("fields", "kind", "problem"), BAD_FIELDS)
def test_a_field_that_could_forge_another_is_an_error_when_the_event_is_made(
    fields: dict[str, Any], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        sa.ServerSentEvent(**fields)
    assert problem in str(caught.value)


def test_events_with_equal_fields_are_equal_and_immutable() -> None:
    event = sa.ServerSentEvent("a", id="1")
    assert event == sa.ServerSentEvent("a", id="1")
    assert event != sa.ServerSentEvent("a", id="2")
    assert event != "a"
    assert len({event, sa.ServerSentEvent("a", id="1")}) == 1
    assert repr(event) == "ServerSentEvent(data='a', id='1')"
    with pytest.raises(AttributeError, match=r"ServerSentEvent\.data: an event cannot be changed; make another"):
        event.data = "b"
    with pytest.raises(AttributeError, match=r"ServerSentEvent\.id: an event cannot be changed; make another"):
        del event.id


ITEMS: list[tuple[object, bytes]] = [
    (sa.ServerSentEvent("a"), b"data: a\n\n"),
    ("a", b"data: a\n\n"),
    ("a\r\nb\n", b"data: a\ndata: b\ndata: \n\n"),
    ({"a": 1}, b'data: {"a":1}\n\n'),
    (None, b"data: null\n\n"),
    (1.5, b"data: 1.5\n\n"),
]


@pytest.mark.parametrize(("item", "frame"), ITEMS)
def test_text_is_raw_data_and_anything_else_is_json(item: object, frame: bytes) -> None:
    assert SSE().encode(item) == frame
    assert list(sa.iter_bytes(sa.sse([item], retry=None))) == [frame]


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda event: pickle.loads(pickle.dumps(event)),
}


@pytest.mark.parametrize("made_again", COPIES.values(), ids=COPIES)
def test_an_event_passes_between_processes_and_stays_as_it_was_encoded(made_again: Callable[[Any], Any]) -> None:
    data = {"a": 1}
    event = sa.ServerSentEvent(data, event="tick", id="1", retry=5, comment="c")
    data["a"] = 2
    again = made_again(event)
    assert (again.encoded, repr(again)) == (event.encoded, repr(event))


def test_client_reads_the_events_that_were_sent() -> None:
    texts = ["a", "", "a\nb", " leading and trailing ", "a\u2028b", ": no comment", "data: no field", "a\n\nb\n"]
    events = [sa.ServerSentEvent(text, event="tick", id=str(number)) for number, text in enumerate(texts)]
    body = b"".join(sa.iter_bytes(sa.sse(events)))
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    read = list(EventSource(response).iter_sse())
    assert [event.data for event in read if event.event == "tick"] == texts
    assert [event.id for event in read if event.event == "tick"] == [str(number) for number in range(len(texts))]


class Kind(str, Enum):  # noqa: UP042  # whose text, formatted, is its name
    DELTA = "delta"


def test_a_member_of_an_enum_of_text_is_its_text_in_every_field() -> None:
    event = sa.ServerSentEvent(Kind.DELTA, event=Kind.DELTA, id=Kind.DELTA, comment=Kind.DELTA)

    assert event.encoded == b": delta\nevent: delta\nid: delta\ndata: delta\n\n"
    assert SSE().encode(Kind.DELTA) == b"data: delta\n\n"
