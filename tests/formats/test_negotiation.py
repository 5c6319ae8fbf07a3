"""No format named: where several can carry the first item, the client's Accept chooses (RFC 9110, 12.5.1).

The table of docs/reference/negotiation.md is what is tested here, every cell of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stream_adapter as sa
from stream_adapter.formats import Auto
from stream_adapter.integration import RequestHead, SyncBody
from tests.support.gate import Gate
from tests.support.interfaces import Call, Watcher, call_asgi, call_wsgi, four_paths
from tests.support.sources import in_way

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "negotiation.md"

FIRST_ITEMS: dict[str, tuple[object, ...]] = {
    "bytes": (b"a", bytearray(b"a"), memoryview(b"a")),
    "text, number": ("a", 1, 1.5),
    "JSON value": ({"a": 1}, [1], True),
    "`ServerSentEvent`": (sa.ServerSentEvent("a"),),
    "nothing at all": (),
}

CONTENT_TYPES = {
    "octets": "application/octet-stream",
    "text": "text/plain; charset=utf-8",
    "NDJSON": "application/x-ndjson",
    "JSON array": "application/json",
    "JSON sequence": "application/json-seq",
    "SSE": "text/event-stream",
}
CHOSEN_BY_THE_CLIENT = {"text, number", "JSON value", "nothing at all"}


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def cells() -> Iterator[Any]:
    (table,) = re.findall(r"^\| `Accept` (?:.+\n)+", DOCUMENT.read_text(), re.MULTILINE)
    (_, *kinds), _, *rows = rows_of(table)
    assert kinds == [*FIRST_ITEMS]
    for accept, *formats in rows:
        for kind, format in zip(kinds, formats, strict=True):
            yield pytest.param(accept, kind, CONTENT_TYPES[format], id=f"{accept}, {kind}")


def asking_for(accept: str) -> list[tuple[str, str]]:
    return [] if accept == "(none)" else [("Accept", accept.strip("`"))]


@pytest.mark.parametrize(("accept", "kind", "content_type"), [*cells()])
def test_negotiated_format_is_that_of_the_table(accept: str, kind: str, content_type: str) -> None:
    for item in FIRST_ITEMS[kind] or (None,):
        source = [] if item is None else [item]
        for call in (call_wsgi, call_asgi):
            answer = call(sa.Response(iter(source)), headers=asking_for(accept))
            assert answer.header("content-type") == [content_type]
            assert answer.header("vary") == (["Accept"] if kind in CHOSEN_BY_THE_CLIENT else [])
            assert (answer.status, answer.complete) == (200, True)


ITEMS: list[object] = [{"a": 1}, "text", None, [2], 3.5]
BODIES: dict[str, bytes] = {
    "application/x-ndjson": b'{"a":1}\n"text"\nnull\n[2]\n3.5\n',
    "application/json": b'[{"a":1},"text",null,[2],3.5]',
    "application/json-seq": b'\x1e{"a":1}\n\x1e"text"\n\x1enull\n\x1e[2]\n\x1e3.5\n',
    "text/event-stream": b'retry: 2000\ndata: {"a":1}\n\ndata: text\n\ndata: null\n\ndata: [2]\n\ndata: 3.5\n\n',
}


@four_paths
@pytest.mark.parametrize("media_type", BODIES)
def test_each_format_carries_the_items_of_any_source(media_type: str, way: str, call: Call) -> None:
    answer = call(sa.Response(in_way(way, iter(ITEMS))), headers=[("Accept", media_type)])
    assert answer.header("content-type") == [media_type]
    assert answer.body == BODIES[media_type]
    assert answer.complete


@four_paths
def test_text_becomes_the_raw_data_of_events(way: str, call: Call) -> None:
    source = in_way(way, iter(["Hold ", "nothing\n", 1]))
    answer = call(sa.Response(source), headers=[("Accept", "text/event-stream")])
    assert answer.body == b"retry: 2000\ndata: Hold \n\ndata: nothing\ndata: \n\ndata: 1\n\n"


@four_paths
@pytest.mark.parametrize(("accept", "body"), [("application/json", b"[]"), ("application/x-ndjson", b"")])
def test_empty_stream_is_valid_json_if_the_client_prefers_json(accept: str, body: bytes, way: str, call: Call) -> None:
    assert call(sa.Response(in_way(way, iter(()))), headers=[("Accept", accept)]).body == body


@four_paths
@pytest.mark.parametrize(
    ("accept", "items", "problem"),
    [
        ("text/event-stream", [{"a": 1}, b"a"], "chunk 1: sse takes ServerSentEvent, text and JSON values, got bytes"),
        ("text/event-stream", ["a", "b", b"a"], "chunk 2: sse takes ServerSentEvent, text and JSON values, got bytes"),
        ("application/json", [[1], b"a"], "chunk 1: expected a JSON value, got bytes"),
        (
            "application/json",
            [[1], 2, sa.ServerSentEvent("a")],
            "chunk 2: expected a JSON value, got stream_adapter.ServerSentEvent",
        ),
        ("application/json-seq", [[1], b"a"], "chunk 1: expected a JSON value, got bytes"),
        ("application/x-ndjson", [[1], b"a"], "chunk 1: expected a JSON value, got bytes"),
    ],
)
def test_a_later_item_that_the_chosen_format_cannot_carry_is_named(
    accept: str, items: list[object], problem: str, way: str, call: Call
) -> None:
    answer = call(sa.Response(in_way(way, iter(items))), headers=[("Accept", accept)])
    assert isinstance(answer.error, sa.ChunkEncodingError)
    assert problem in str(answer.error)
    assert not answer.complete


@four_paths
@pytest.mark.parametrize("accept", BODIES)
def test_item_that_is_not_a_chunk_is_an_error_in_each_format(accept: str, way: str, call: Call) -> None:
    answer = call(sa.Response(in_way(way, iter([None]))), headers=[("Accept", accept)])
    assert answer.status is None
    assert "chunk 0: expected bytes, text, number or JSON value, got None" in str(answer.error)


@four_paths
def test_an_array_that_fails_is_not_closed(way: str, call: Call) -> None:
    answer = call(sa.Response(in_way(way, iter([[1], [2], b""]))), headers=[("Accept", "application/json")])
    assert not answer.complete
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


EVERY_ACCEPT = [*BODIES, "image/png"]


@pytest.mark.parametrize("accept", EVERY_ACCEPT)
@pytest.mark.parametrize(
    ("options", "content_type"),
    [
        ({"format": sa.ndjson(()).format}, "application/x-ndjson"),
        ({"format": sa.sse(()).format}, "text/event-stream"),
        ({"media_type": "application/vnd.x+json"}, "application/vnd.x+json"),
        ({"headers": {"content-type": "application/vnd.x+json"}}, "application/vnd.x+json"),
    ],
)
def test_a_format_or_media_type_that_is_named_is_not_negotiated(
    accept: str, options: dict[str, Any], content_type: str
) -> None:
    answer = call_wsgi(sa.Response(iter([{"a": 1}]), **options), headers=[("Accept", accept)])
    assert answer.header("content-type") == [content_type]
    assert answer.header("vary") == []


@pytest.mark.parametrize("accept", EVERY_ACCEPT)
def test_auto_by_name_lets_the_first_item_decide_alone(accept: str) -> None:
    answer = call_wsgi(sa.Response(iter([{"a": 1}]), format=Auto()), headers=[("Accept", accept)])
    assert answer.header("content-type") == ["application/x-ndjson"]
    assert answer.header("vary") == []


async def later(content: object) -> object:
    return content


WHOLE: list[tuple[object, str, bytes]] = [
    ({"a": 1}, "application/json", b'{"a":1}'),
    ("text", "text/plain; charset=utf-8", b"text"),
    (b"bytes", "application/octet-stream", b"bytes"),
    (None, "text/plain; charset=utf-8", b""),
]


@pytest.mark.parametrize("accept", EVERY_ACCEPT)
@pytest.mark.parametrize("awaited", [False, True], ids=["", "awaited"])
@pytest.mark.parametrize(("content", "content_type", "body"), WHOLE)
def test_one_value_alone_is_not_negotiated(
    content: Any, content_type: str, body: bytes, accept: str, *, awaited: bool
) -> None:
    answer = call_asgi(sa.Response(later(content) if awaited else content), headers=[("Accept", accept)])
    assert answer.header("content-type") == [content_type]
    assert answer.header("vary") == []
    assert answer.body == body
    assert answer.header("content-length") == ([str(len(body))] if body or not awaited else [])


@pytest.mark.parametrize("content", [[{"a": 1}], ({"a": 1},)], ids=["list", "tuple"])
def test_a_list_or_tuple_is_its_items_and_negotiated(content: Any) -> None:
    answer = call_wsgi(sa.Response(content), headers=[("Accept", "application/json")])
    assert answer.body == b'[{"a":1}]'
    assert answer.header("content-type") == ["application/json"]


@pytest.mark.parametrize("accept", EVERY_ACCEPT)
@pytest.mark.parametrize("items", [[b"a"], []], ids=["bytes", "nothing"])
def test_strict_is_bytes_whatever_the_client_prefers(items: list[object], accept: str) -> None:
    answer = call_wsgi(sa.Response(iter(items), strict=True), headers=[("Accept", accept)])
    assert answer.header("content-type") == ["application/octet-stream"]
    assert answer.header("vary") == []


@pytest.mark.parametrize("accept", EVERY_ACCEPT)
@pytest.mark.parametrize("status", [204, 304])
def test_response_without_a_body_is_not_negotiated(status: int, accept: str) -> None:
    answer = call_wsgi(sa.Response(iter([{"a": 1}]), status_code=status), headers=[("Accept", accept)])
    assert (answer.status, answer.body) == (status, b"")
    assert answer.header("vary") == answer.header("content-type") == answer.header("cache-control") == []


VARY: list[tuple[list[str], str]] = [
    ([], "Accept"),
    (["Cookie"], "Cookie, Accept"),
    (["Cookie", "Origin"], "Cookie, Origin, Accept"),
    (["cookie, ACCEPT"], "cookie, ACCEPT"),
    (["Accept-Encoding"], "Accept-Encoding, Accept"),
    (["*"], "*"),
]


@pytest.mark.parametrize(("given", "sent"), VARY)
def test_accept_is_added_to_the_vary_of_the_user(given: list[str], sent: str) -> None:
    headers = [("Vary", value) for value in given]
    assert call_wsgi(sa.Response(iter([{"a": 1}]), headers=headers)).header("vary") == [sent]


class Opener(Watcher):
    """Opens a gate for each block that has what is looked for in it."""

    def __init__(self, looked_for: bytes) -> None:
        self.gate = Gate()
        self._looked_for = looked_for

    def on_block(self, block: bytes) -> None:
        if self._looked_for in block:
            self.gate.open()


def two_items(way: str, gate: Gate) -> Any:
    def items() -> Iterator[object]:
        yield {"a": 1}
        gate.wait()
        yield {"a": 2}

    async def aitems() -> AsyncIterator[object]:
        yield {"a": 1}
        await gate.wait_async()
        yield {"a": 2}

    return items() if way == "sync" else aitems()


@four_paths
@pytest.mark.parametrize("accept", BODIES)
def test_negotiated_stream_is_sent_item_by_item(accept: str, way: str, call: Call) -> None:
    opener = Opener(b'{"a":1}')
    answer = call(sa.Response(two_items(way, opener.gate)), headers=[("Accept", accept)], watcher=opener)
    assert answer.error is None
    assert b'{"a":2}' in answer.blocks[-1] or b'{"a":2}' in answer.blocks[-2]


@four_paths
def test_events_that_the_client_chose_are_kept_alive(way: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_adapter.formats.auto._EVENTS.keepalive", 0.01)
    opener = Opener(b":\n")
    source = two_items(way, opener.gate)
    answer = call(sa.Response(source, format=Auto(accept="text/event-stream")), watcher=opener)
    assert answer.error is None
    assert answer.body.endswith(b':\ndata: {"a":2}\n\n')


@pytest.mark.parametrize("accept", BODIES)
def test_status_and_headers_wait_for_the_first_item(accept: str) -> None:
    head = RequestHead.from_environ({"HTTP_ACCEPT": accept})
    resolved = sa.Response(iter([{"a": 1}])).resolve(head)
    assert resolved.flow.commit_after is None
    assert resolved.flow.flush == "auto"


@four_paths
def test_an_error_before_the_first_item_is_raised_before_anything_is_sent(way: str, call: Call) -> None:
    def fails() -> Iterator[object]:
        raise LookupError
        yield {}

    answer = call(sa.Response(in_way(way, fails())), headers=[("Accept", "text/event-stream")])
    assert isinstance(answer.error, LookupError)
    assert answer.status is None


@four_paths
def test_with_commit_after_a_late_item_is_in_the_format_that_the_client_chose_for_none(way: str, call: Call) -> None:
    class Starter(Opener):
        def on_start(self) -> None:
            self.gate.open()

    starter = Starter(b'{"a":1}')

    def late() -> Iterator[object]:
        starter.gate.wait()
        yield {"a": 1}

    async def alate() -> AsyncIterator[object]:
        await starter.gate.wait_async()
        yield {"a": 1}

    source = late() if way == "sync" else alate()
    accept = [("Accept", "application/json")]
    answer = call(sa.Response(source, commit_after=0.01), headers=accept, watcher=starter)
    assert answer.header("content-type") == ["application/json"]
    assert answer.body == b'[{"a":1}]'


MALFORMED = ["", ";", ",", "/", "*", "json", "*/json", "application/json;q=2", "application/json;q=x", "\x80\xff"]


@pytest.mark.parametrize("accept", MALFORMED)
def test_a_malformed_accept_counts_as_none(accept: str) -> None:
    answer = call_wsgi(sa.Response(iter([{"a": 1}])), headers=[("Accept", accept)])
    assert answer.header("content-type") == ["application/x-ndjson"]


def ranges() -> st.SearchStrategy[str]:
    types = st.sampled_from([*BODIES, "text/plain", "text/*", "application/*", "*/*", "image/png"])
    qualities = st.one_of(st.just(""), st.integers(0, 1000).map(lambda q: f";q={q / 1000:.3f}"))
    return st.lists(st.builds(str.__add__, types, qualities), unique_by=lambda given: given.partition(";")[0]).map(
        ", ".join
    )


def quality(accept: str, media_type: str) -> float:
    """Return a client's quality for a type, by a second reading of RFC 9110: that of its most specific range."""
    given = {name: float(q.removeprefix("q=") or 1) for name, _, q in (r.partition(";") for r in accept.split(", "))}
    main, _, _ = media_type.partition("/")
    return next((given[name] for name in (media_type, f"{main}/*", "*/*") if name in given), 0)


@given(ranges())
def test_client_gets_the_format_of_its_highest_quality(accept: str) -> None:
    qualities = {media_type: quality(accept, media_type) for media_type in BODIES}
    chosen = Auto(accept=accept).choose(dict, strict=False).media_type
    best = max(qualities.values())
    assert qualities[chosen] == best if best else chosen == "application/x-ndjson"


@given(st.text(st.characters(max_codepoint=255)))
def test_no_accept_at_all_is_an_error(accept: str) -> None:
    assert Auto(accept=accept).choose(dict, strict=False).media_type in BODIES


def test_text_is_negotiated_as_html_in_frameworks_that_send_html() -> None:
    def content_type(accept: str) -> str:
        head = RequestHead.from_environ({"HTTP_ACCEPT": accept})
        body = SyncBody(sa.Response(iter("a")).resolve(head, text_media_type="text/html"))
        body.start()
        body.close()
        return dict(body.headers)["Content-Type"]

    assert content_type("text/html, text/event-stream;q=0.9") == "text/html; charset=utf-8"
    assert content_type("text/plain, text/event-stream;q=0.9") == "text/event-stream"
