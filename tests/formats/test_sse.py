"""Server-sent events: how a stream of them ends, fails and resumes, on each of the four paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from httpx_sse import EventSource

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from tests.support.interfaces import SOURCES, Call, four_paths

SECRET = "the text of the exception"  # what no client may read
PROBLEM = {"type": "about:blank", "title": "Internal Server Error", "status": 500}
END = b"event: done\nid: done\ndata: \n\n"


class Read(NamedTuple):
    event: str
    data: str
    id: str


def read(body: bytes) -> list[Read]:
    """Read what is whole of a body, by another parser."""
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    return [Read(event.event, event.data, event.id) for event in EventSource(response).iter_sse()]


@four_paths
@pytest.mark.parametrize("items", [[], ["0"], ["0", sa.ServerSentEvent("1", id="1")]])
def test_a_complete_stream_ends_with_the_end_event(way: str, call: Call, items: list[object]) -> None:
    answer = call(sa.sse(SOURCES[way](items), retry=None, end="done"))
    assert answer.body == b"".join(sa.iter_bytes(sa.sse(items, retry=None))) + END
    assert answer.complete


@four_paths
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("end", ["done", "é☃ 𝄞"])
def test_client_that_has_the_end_event_is_answered_204_and_the_source_is_closed_unstarted(
    way: str, call: Call, method: str, end: str
) -> None:
    source, reasons = SOURCES[way](["0"]), list[str]()
    response = sa.sse(source, end=end, on_close=lambda summary: reasons.append(summary.reason))
    header = ("Last-Event-ID", end.encode().decode("latin-1"))
    answer = call(response, method=method, headers=[header])
    assert (answer.status, answer.body, answer.header("content-type")) == (204, b"", [])
    assert answer.header("cache-control") == ["no-store, no-transform"]
    assert (source.steps, source.closes, reasons) == (0, 1, ["done"])


@pytest.mark.parametrize(("end", "seen"), [("done", "1"), ("done", "Done"), ("done", ""), (None, "done")])
@four_paths
def test_any_other_client_gets_the_stream(way: str, call: Call, end: str | None, seen: str) -> None:
    answer = call(sa.sse(SOURCES[way](["0"]), end=end), headers=[("Last-Event-ID", seen)])
    assert answer.status == 200
    assert b"data: 0\n\n" in answer.body


BAD_OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    *(
        ({"end": end}, ValueError, f"end: expected text without control characters and outer white space, got {end!r}")
        for end in ("", " done", "done\t", "a\nb", "a\0b", "\x7f")
    ),
    ({"end": 5}, TypeError, "end: expected text, got int"),
    ({"end": "a\ud800"}, ChunkValueError, "expected text, got a lone surrogate"),
    ({"profile": "azure"}, ValueError, "profile: expected 'openai' or 'ai-sdk' or 'anthropic' or 'ag-ui', got 'azure'"),
    ({"profile": "openai", "end": "done"}, ValueError, "end: the profile 'openai' has an end of its own, got 'done'"),
    ({"json_dumps": 5}, TypeError, "json_dumps: expected a function, got int"),
    ({"keepalive": 0}, ValueError, "keepalive: expected more than 0 seconds or None, got 0"),
    ({"retry": -1}, ChunkValueError, "expected 0 or more milliseconds, got -1"),
    ({"keepalive": [15]}, TypeError, "keepalive: expected seconds or None, got list"),
    ({"retry": [2000]}, TypeError, "retry: expected whole milliseconds, got list"),
    ({"end": ["done"]}, TypeError, "end: expected text, got list"),
    (
        {"profile": ["openai"]},
        ValueError,
        "profile: expected 'openai' or 'ai-sdk' or 'anthropic' or 'ag-ui', got ['openai']",
    ),
]


@pytest.mark.parametrize(("options", "kind", "problem"), BAD_OPTIONS)
def test_a_bad_option_is_an_error_when_the_response_is_made(
    options: dict[str, Any], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        sa.sse([], **options)
    assert problem in str(caught.value)


@four_paths
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_stream_that_fails_after_some_events_shows_them_and_one_error_event_and_no_end(
    way: str, call: Call, count: int
) -> None:
    items = [*(sa.ServerSentEvent(str(number), id=str(number)) for number in range(count)), LookupError(SECRET)]
    answer = call(sa.sse(SOURCES[way](items), end="done"))
    *events, error = read(answer.body)
    assert [(event.data, event.id) for event in events] == [(str(number), str(number)) for number in range(count)]
    assert (error.event, json.loads(error.data)) == ("error", PROBLEM)
    assert answer.body.endswith(b"\n\nevent: error\ndata: " + error.data.encode() + b"\n\n")  # which carries no id
    assert not answer.complete
    assert isinstance(answer.error, LookupError)


def test_a_stream_that_is_cut_anywhere_shows_no_event_but_those_that_were_whole() -> None:
    items = [sa.ServerSentEvent(f"{number}\né", event="tick", id=f"{number}") for number in range(5)]
    body = b"".join(sa.iter_bytes(sa.sse(items, end="done")))
    whole = read(body)
    for cut in range(len(body)):
        received = body[:cut]
        seen = read(received.decode(errors="ignore").encode())
        assert seen == whole[: received.count(b"\n\n")]


ERROR_RECORDS: dict[str, tuple[Callable[[BaseException], Any], bytes]] = {
    "nothing": (
        lambda _: None,
        b'event: error\ndata: {"type":"about:blank","title":"Internal Server Error","status":500}',
    ),
    "text": (lambda _: "try\nagain", b"event: error\ndata: try\ndata: again"),
    "JSON": (lambda error: {"kind": type(error).__name__}, b'event: error\ndata: {"kind":"LookupError"}'),
    "an event": (lambda _: sa.ServerSentEvent("bye", event="closed"), b"event: closed\ndata: bye"),
    "what cannot be sent": (
        lambda _: b"bytes",
        b'event: error\ndata: {"type":"about:blank","title":"Internal Server Error","status":500}',
    ),
}


@four_paths
@pytest.mark.parametrize("returned", ERROR_RECORDS)
def test_error_event_has_the_result_of_on_error(way: str, call: Call, returned: str) -> None:
    on_error, frame = ERROR_RECORDS[returned]
    answer = call(sa.sse(SOURCES[way](["0", LookupError(SECRET)]), retry=None, on_error=on_error))
    assert answer.body == b"data: 0\n\n" + frame + b"\n\n"


PROFILE_ERRORS: list[tuple[str, Any, dict[str, Any]]] = [
    (
        "openai",
        None,
        {"error": {"message": "Internal Server Error", "type": "server_error", "param": None, "code": None}},
    ),
    ("openai", "Try again", {"error": {"message": "Try again", "type": "server_error", "param": None, "code": None}}),
    ("openai", {"message": "a", "code": "b"}, {"error": {"message": "a", "code": "b"}}),
    ("openai", 5, {"error": {"message": "5", "type": "server_error", "param": None, "code": None}}),
    ("ai-sdk", None, {"type": "error", "errorText": "Internal Server Error"}),
    ("ai-sdk", "Try again", {"type": "error", "errorText": "Try again"}),
    ("ai-sdk", {"a": 1}, {"type": "error", "errorText": '{"a":1}'}),
    (
        "anthropic",
        None,
        {"type": "error", "error": {"type": "api_error", "message": "Internal Server Error"}},
    ),
    ("anthropic", "Try again", {"type": "error", "error": {"type": "api_error", "message": "Try again"}}),
    (
        "anthropic",
        {"type": "overloaded_error", "message": "a"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "a"}},
    ),
    ("ag-ui", None, {"type": "RUN_ERROR", "message": "Internal Server Error"}),
    ("ag-ui", "Try again", {"type": "RUN_ERROR", "message": "Try again"}),
    ("ag-ui", {"message": "a", "code": "b"}, {"type": "RUN_ERROR", "message": "a", "code": "b"}),
]


@four_paths
@pytest.mark.parametrize(("profile", "returned", "part"), PROFILE_ERRORS)
def test_a_profiles_error_is_a_part_and_done_is_never_said(
    way: str, call: Call, profile: Any, returned: Any, part: dict[str, Any]
) -> None:
    source = SOURCES[way]([{"type": "a"}, LookupError(SECRET)])
    answer = call(sa.sse(source, profile=profile, on_error=lambda _: returned))
    assert [json.loads(event.data) for event in read(answer.body)] == [{"type": "a"}, part]
    assert [event.event for event in read(answer.body)] == ["a", "error"] if profile == "anthropic" else ["message"] * 2
    assert not answer.complete


@pytest.mark.parametrize(("profile", "header"), [("openai", []), ("ai-sdk", ["v1"])])
@four_paths
def test_a_profiles_stream_is_parts_and_done(way: str, call: Call, profile: Any, header: list[str]) -> None:
    parts = [{"a": "é"}, '{"b":1}', sa.ServerSentEvent({"c": 1}, event="response.created")]
    answer = call(sa.sse(SOURCES[way](parts), profile=profile))
    assert answer.body == (
        b':\ndata: {"a":"\xc3\xa9"}\n\ndata: {"b":1}\n\nevent: response.created\ndata: {"c":1}\n\ndata: [DONE]\n\n'
    )
    assert answer.header("x-vercel-ai-ui-message-stream") == header
    assert answer.header("content-type") == ["text/event-stream"]


@four_paths
def test_anthropic_profile_names_each_event_after_its_part_and_ends_with_the_sources_last(way: str, call: Call) -> None:
    parts = [
        {"type": "message_start"},
        {"index": 0, "type": "content_block_delta"},
        '{"type":"ping"}',
        sa.ServerSentEvent({"type": "content_block_stop"}),
        sa.ServerSentEvent({"index": 0}, event="message_delta"),
    ]
    answer = call(sa.sse(SOURCES[way](parts), profile="anthropic"))
    assert answer.complete
    assert answer.body == (
        b':\nevent: message_start\ndata: {"type":"message_start"}\n\n'
        b'event: content_block_delta\ndata: {"index":0,"type":"content_block_delta"}\n\n'
        b'event: ping\ndata: {"type":"ping"}\n\n'
        b'event: content_block_stop\ndata: {"type":"content_block_stop"}\n\n'
        b'event: message_delta\ndata: {"index":0}\n\n'
    )


@pytest.mark.parametrize("item", ["text", {"a": 1}, [], 5, None, {"type": 5}, {"type": "a\nb"}, {"type": ""}])
def test_anthropic_profile_refuses_a_part_whose_event_has_no_name(item: Any) -> None:
    with pytest.raises(ChunkValueError, match='chunk 0: profile: expected a part with a "type"'):
        list(sa.iter_bytes(sa.sse([item], profile="anthropic")))


def test_anthropic_profile_reads_the_type_that_an_encoder_of_your_own_wrote_in_several_lines() -> None:
    items = [{"index": 0, "type": "a"}, {"type": "b"}]
    body = b"".join(
        sa.iter_bytes(sa.sse(items, json_dumps=lambda part: json.dumps(part, indent=1), profile="anthropic"))
    )
    assert [event.event for event in read(body)] == ["a", "b"]


def test_ag_ui_profile_writes_models_by_their_aliases_and_ends_with_the_sources_last() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Started", type=str, run_id=(str, pydantic.Field(alias="runId")))
    items = [model(type="RUN_STARTED", runId="1"), {"type": "RUN_FINISHED", "runId": "1"}]
    assert b"".join(sa.iter_bytes(sa.sse(items, profile="ag-ui"))) == (
        b':\ndata: {"type":"RUN_STARTED","runId":"1"}\n\ndata: {"type":"RUN_FINISHED","runId":"1"}\n\n'
    )


@pytest.mark.parametrize("fields", [{"data": "a", "id": "1"}, {"data": "a", "retry": 1}, {"comment": "a"}])
@pytest.mark.parametrize("profile", ["openai", "ai-sdk", "anthropic", "ag-ui"])
def test_item_that_breaks_clients_of_a_profile_is_an_error(profile: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ChunkValueError, match="chunk 0: profile: expected an event with data, no id and no retry"):
        list(sa.iter_bytes(sa.sse([sa.ServerSentEvent(**fields)], profile=profile)))


JSON_DUMPS: list[tuple[Callable[[Any], Any], bytes]] = [
    (json.dumps, b'data: {"a": 1}\n\n'),
    (lambda value: json.dumps(value).encode(), b'data: {"a": 1}\n\n'),
    (lambda value: json.dumps(value, indent=1), b'data: {\ndata:  "a": 1\ndata: }\n\n'),
]


@pytest.mark.parametrize(("json_dumps", "frame"), JSON_DUMPS)
@pytest.mark.parametrize("profile", [None, "openai", "ai-sdk"])
def test_json_dumps_encodes_what_is_neither_event_nor_text(
    json_dumps: Callable[[Any], Any], frame: bytes, profile: Any
) -> None:
    items = ["a", {"a": 1}, sa.ServerSentEvent({"b": 1})]
    body = b"".join(sa.iter_bytes(sa.sse(items, retry=None, json_dumps=json_dumps, profile=profile)))
    assert body.removeprefix(b":\n").removesuffix(b"data: [DONE]\n\n") == b"data: a\n\n" + frame + b'data: {"b":1}\n\n'


def test_an_event_that_is_sent_to_many_is_encoded_once() -> None:
    event = sa.ServerSentEvent({"a": 1})
    sent = [chunk for _ in range(3) for chunk in sa.iter_bytes(sa.sse([event], retry=None))]
    assert [chunk is event.encoded for chunk in sent] == [True] * 3
