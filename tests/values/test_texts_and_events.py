"""Text by another class, events of other libraries, and frames that are there already."""

from __future__ import annotations

import asyncio
import importlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import django
import fastapi.sse
import flask
import httpx_sse
import litestar.response.sse
import markupsafe
import openai._streaming
import pytest
import sse_starlette
from babel.support import LazyProxy
from django.conf import settings
from django.utils import translation
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError
from tests.support.interfaces import Call, four_paths
from tests.support.sources import in_way


def body_of(response: Any) -> bytes:
    return b"".join(sa.iter_bytes(response))


flask_babel: Any = importlib.import_module("flask_babel")  # without types, as speaklater is
speaklater: Any = importlib.import_module("speaklater")

if not settings.configured:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django.site.settings"
    django.setup()


TEXTS: dict[str, Callable[[], Any]] = {
    "Django": lambda: lazystr("Ja"),
    "Flask-Babel": lambda: flask_babel.speaklater.LazyString(lambda: "Ja"),
    "speaklater": lambda: speaklater.make_lazy_string(lambda: "Ja"),
    "Babel": lambda: LazyProxy(lambda: "Ja"),
    "Markup": lambda: markupsafe.Markup("Ja"),
}
every_text = pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)


@every_text
def test_text_of_another_class_is_text_wherever_it_stands(make: Callable[[], Any]) -> None:
    text = make()
    assert sa.encode_chunk(text) == b"Ja"
    assert sa.encode_chunk(text, charset="utf-16-le") == "Ja".encode("utf-16-le")
    assert body_of(sa.Response(text)) == body_of(sa.text([text])) == body_of(sa.html(iter([text]))) == b"Ja"
    assert body_of(sa.ndjson([text, [text], {"a": text}])) == b'"Ja"\n["Ja"]\n{"a":"Ja"}\n'
    if type(text).__hash__ is not None:
        assert body_of(sa.ndjson([{text: 1}])) == b'{"Ja":1}\n'
    assert body_of(sa.json_array([{"a": text, "n": 2**64}])) == b'[{"a":"Ja","n":18446744073709551616}]'
    assert body_of(sa.csv([[text, 1]], header=[text, "n"])) == b"Ja,n\r\nJa,1\r\n"
    assert body_of(sa.csv([["x"]], escape_formulas=True, header=[text])) == b"Ja\r\nx\r\n"
    assert body_of(sa.sse([text], retry=None)) == b"data: Ja\n\n"
    event = sa.ServerSentEvent(text, event=text, id=text, comment=text)
    assert event.encoded == b": Ja\nevent: Ja\nid: Ja\ndata: Ja\n\n"
    assert ("Content-Disposition", "attachment; filename=Ja") in sa.csv([], filename=text).resolve().headers
    download = sa.file(io.BytesIO(b"a"), filename=text).resolve()
    assert ("Content-Disposition", "attachment; filename=Ja") in download.headers


@every_text
def test_strict_mode_says_how_to_encode_it(make: Callable[[], Any]) -> None:
    with pytest.raises(sa.StrictEncodingError, match=r"yield (str\(value\)|value)\.encode\(\) instead"):
        sa.encode_chunk(make(), strict=True)


@four_paths
def test_text_of_another_class_decides_the_format_as_text_does(way: str, call: Call) -> None:
    answer = call(sa.Response(in_way(way, [lazystr("Ja"), "!"])))
    assert (answer.body, answer.header("Content-Type")) == (b"Ja!", ["text/plain; charset=utf-8"])


def test_lazy_text_is_in_the_language_active_at_encoding() -> None:
    yes = gettext_lazy("Yes")
    with translation.override("de"):
        assert sa.encode_chunk(yes) == b"Ja"
        assert body_of(sa.ndjson([{"a": yes, yes: 2**64}])) == b'{"a":"Ja","Ja":18446744073709551616}\n'
    with translation.override("fr"):
        assert sa.encode_chunk(yes) == b"Oui"

    app = flask.Flask(__name__)
    flask_babel.Babel(app)
    with app.test_request_context(), flask_babel.force_locale("de"):
        assert sa.encode_chunk({"a": flask_babel.lazy_gettext("Yes")}) == b'{"a":"Yes"}'


@dataclass
class ServerSentEvent:
    """As Quart's documentation has it."""

    data: str
    event: str | None = None
    id: int | None = None
    retry: int | None = None


def _fastapi(**fields: Any) -> Any:
    return fastapi.sse.ServerSentEvent(**fields)


EVENTS: list[tuple[Any, bytes]] = [
    (_fastapi(data={"a": 1}, event="tick", id="1"), b'event: tick\nid: 1\ndata: {"a":1}\n\n'),
    (_fastapi(data="text"), b'data: "text"\n\n'),
    (_fastapi(raw_data="a\nb", retry=5), b"retry: 5\ndata: a\ndata: b\n\n"),
    (_fastapi(comment="c"), b": c\n"),
    (
        sse_starlette.ServerSentEvent("a\nb", event="tick", id="1", retry=5, comment="c"),
        b": c\nevent: tick\nid: 1\nretry: 5\ndata: a\ndata: b\n\n",
    ),
    (sse_starlette.ServerSentEvent({"a": 1}), b'data: {"a":1}\n\n'),
    (sse_starlette.JSONServerSentEvent("text"), b'data: "text"\n\n'),
    (litestar.response.sse.ServerSentEventMessage(b"a", event="tick", id=1), b"event: tick\nid: 1\ndata: a\n\n"),
    (httpx_sse.ServerSentEvent(event="tick", data="a", id="1"), b"event: tick\nid: 1\ndata: a\n\n"),
    (openai._streaming.ServerSentEvent(event="tick", data="a"), b"event: tick\ndata: a\n\n"),
    (ServerSentEvent("a", event="tick", id=1), b"event: tick\nid: 1\ndata: a\n\n"),
]


@four_paths
@pytest.mark.parametrize(("event", "frame"), EVENTS, ids=[type(event).__module__ for event, _ in EVENTS])
def test_an_event_of_another_library_is_that_event(event: Any, frame: bytes, way: str, call: Call) -> None:
    for response in (sa.sse(in_way(way, [event, "b"])), sa.Response(in_way(way, iter([event, "b"])))):
        answer = call(response)
        assert answer.body == b"retry: 2000\n" + frame + b"data: b\n\n"
        assert answer.header("Content-Type") == ["text/event-stream"]
    answer = call(sa.Response(in_way(way, iter([event])), media_type="text/event-stream"))
    assert answer.body == frame


def test_an_event_of_a_plain_class_in_a_record_format_is_refused_by_name() -> None:
    with pytest.raises(sa.ChunkEncodingError) as caught:
        body_of(sa.ndjson([sse_starlette.ServerSentEvent("a")]))
    assert str(caught.value) == (
        "chunk 0: expected a JSON value, got sse_starlette.event.ServerSentEvent; send events by sa.sse(…)"
    )


FRAMED = ['data: {"a":1}\n\n', "event: tick\ndata: a\n\n", ": ping\n\n", "id: 1\r\ndata: a\r\n\r\n", "retry: 5\r\r"]


@pytest.mark.parametrize("text", FRAMED)
@pytest.mark.parametrize("first", [[], ["a"]], ids=["first", "later"])
def test_text_that_is_framed_already_is_refused_with_what_to_write(text: str, first: list[str]) -> None:
    with pytest.raises(ChunkValueError) as caught:
        body_of(sa.sse([*first, text]))
    assert f"chunk {len(first)}: sse takes the data of an event, got text that is framed already" in str(caught.value)
    assert "media_type='text/event-stream'" in str(caught.value)
    assert body_of(sa.Response(iter([text]), media_type="text/event-stream")) == text.encode()
    assert body_of(sa.sse([sa.ServerSentEvent(text)], retry=None)).startswith(b"data: ")


@pytest.mark.parametrize("text", ["data: a", "data: a\n", "a\n\n", "\n\n", "data\n\n", "x: y\n\n", "data: a\n\nb"])
def test_text_that_only_looks_like_a_field_is_data(text: str) -> None:
    assert body_of(sa.sse([text], retry=None)).startswith(b"data: ")


LINES = [
    "application/stream+json",
    "application/json-lines",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines; charset=utf-8",
]
JSON, BYTES = [{"a": 1}, [2], 3, True, None], b'{"a":1}[2]3truenull'
NAMED: list[tuple[str, list[Any], bytes]] = [
    *((name, JSON, b'{"a":1}\n[2]\n3\ntrue\nnull\n') for name in LINES),
    ("application/json", JSON, b'[{"a":1},[2],3,true,null]'),
    ("application/json", [{"a": 1}, "b"], b'[{"a":1},"b"]'),
    ("application/json", [], b"[]"),
    ("application/json", ['{"a":', {"b": 1}, "}"], b'{"a":{"b":1}}'),
    ("application/json", [b"[", b"1]"], b"[1]"),
    ("application/json-seq", JSON[:2], b'\x1e{"a":1}\n\x1e[2]\n'),
    ("application/geo+json-seq", JSON[:1], b'\x1e{"a":1}\n'),
    ("application/geo+json", JSON[:1], b'{"a":1}'),
    ("application/geo+json", ['{"a":', {"b": 1}, 2, b"}"], b'{"a":{"b":1}2}'),
    ("text/csv", [{"a": 1, "b": "x,y"}, {"b": 2, "a": 3}], b'a,b\r\n1,"x,y"\r\n3,2\r\n'),
    ("text/csv; header=absent", [{"a": 1}], b"1\r\n"),
    ("text/csv", [[1, 2], "3,4\r\n"], b"1,2\r\n3,4\r\n"),
    ("text/csv", ["a,b\r\n", 1, ",", 2.5], b"a,b\r\n1,2.5"),
    ("text/tab-separated-values", [{"a": 1, "b": 2}], b"a\tb\r\n1\t2\r\n"),
    ("text/event-stream", [sa.ServerSentEvent("x"), {"a": 1}, 2], b'data: x\n\ndata: {"a":1}\n\ndata: 2\n\n'),
    ("text/event-stream", ["data: a\n", "data: b\n\n", b": c\n"], b"data: a\ndata: b\n\n: c\n"),
    ("text/plain", [{"a": 1}, 2], b'{"a":1}2'),
]


@four_paths
@pytest.mark.parametrize(("media_type", "items", "body"), NAMED)
def test_a_media_type_that_promises_a_frame_has_it(
    media_type: str, items: list[Any], body: bytes, way: str, call: Call
) -> None:
    options: list[dict[str, Any]] = [{"media_type": media_type}, {"headers": {"Content-Type": media_type}}]
    for named in options:
        answer = call(sa.Response(in_way(way, iter(items)), **named))
        assert answer.body == body
        assert answer.header("Content-Type")[0].startswith(media_type.partition(";")[0])


@four_paths
def test_second_value_under_a_type_of_one_document_is_an_error(way: str, call: Call) -> None:
    answer = call(sa.Response(in_way(way, iter([{"a": 1}, [2]])), media_type="application/vnd.api+json; v=1"))
    assert answer.body in {b"", b'{"a":1}'}
    assert not answer.complete
    assert str(answer.error) == (
        "chunk 1: expected one JSON value under application/vnd.api+json, got another; json_array(…, media_type=…)"
        " makes an array of them, and ndjson(…) sends one a line"
    )
    array = sa.json_array([{"a": 1}, [2]], media_type="application/vnd.api+json")
    assert body_of(array) == b'[{"a":1},[2]]'


def test_one_value_under_a_media_type_is_a_document_or_one_record() -> None:
    assert body_of(sa.Response({"a": 1}, media_type="application/json")) == b'{"a":1}'
    assert body_of(sa.Response({"a": 1}, media_type="application/x-ndjson")) == b'{"a":1}\n'
    assert body_of(sa.Response(None, media_type="application/json")) == b""


@four_paths
def test_values_under_a_media_type_fail_as_their_format_does(way: str, call: Call) -> None:
    def failing() -> Iterator[Any]:
        yield {"a": 1}
        raise LookupError

    async def async_failing() -> Any:
        for item in failing():
            yield item
            await asyncio.sleep(0)

    source = failing() if way == "sync" else async_failing()
    answer = call(sa.Response(source, media_type="application/x-ndjson"))
    assert answer.body.startswith(b'{"a":1}\n{"error":{')
    assert not answer.complete


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv", "text/event-stream", "application/json"])
def test_strict_mode_under_a_media_type_takes_bytes_alone(media_type: str) -> None:
    assert body_of(sa.Response(iter([b"a"]), media_type=media_type, strict=True)) == b"a"
    with pytest.raises(sa.StrictEncodingError):
        body_of(sa.Response(iter([{"a": 1}]), media_type=media_type, strict=True))


def test_a_lazy_text_is_in_the_language_that_its_source_has_set() -> None:
    def page() -> Iterator[Any]:
        override: AbstractContextManager[None] = translation.override("de")
        with override:
            yield gettext_lazy("Yes")

    assert body_of(sa.text(page())) == b"Ja"
