"""Whatever a view is and returns, in each of the ways to have it streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, cast

import flask
import pytest
from flask import Flask
from werkzeug.datastructures import Headers

import stream_adapter as sa
from stream_adapter.errors import RefusalError
from stream_adapter_flask import StreamAdapter, stream_response, streaming
from tests.support.sources import as_async

TEXT = "text/html; charset=utf-8"
FLASK = tuple(int(part) for part in version("flask").split(".")[:3] if part.isdecimal())


def generator() -> Iterator[str]:
    yield "a"
    yield "b"


def async_generator() -> AsyncIterator[object]:
    return as_async(generator())


async def generator_later() -> Iterator[str]:
    return generator()


def decorated(app: Flask, view: Callable[..., object]) -> None:
    app.get("/")(streaming(view))


def decorated_with_options(app: Flask, view: Callable[..., object]) -> None:
    app.get("/")(streaming(limits=sa.Limits(max_items=1))(view))


def adapted(app: Flask, view: Any) -> None:
    StreamAdapter(app)
    app.get("/")(view)


def flagged(app: Flask, view: Any) -> None:
    StreamAdapter(app)
    app.get("/", streaming=True)(view)


EXPLICIT = {function.__name__: function for function in (decorated, decorated_with_options, flagged)}
EVERY_WAY = {**EXPLICIT, "adapted": adapted}


@dataclass
class Result:
    """What a view returns, and what is sent of it."""

    make: Callable[[], object]
    body: bytes = b"ab"
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    content_type: str | None = TEXT


STREAMS: dict[str, Result] = {
    "a generator": Result(generator),
    "an async generator": Result(async_generator),
    "an iterator": Result(lambda: iter([b"ab"]), content_type="application/octet-stream"),
    "a generator of values": Result(
        lambda: iter([{"a": 1}, [2]]), b'{"a":1}\n[2]\n', content_type="application/x-ndjson"
    ),
    "a generator of nothing": Result(lambda: iter(()), b""),
    "a Response": Result(
        lambda: sa.Response(generator(), media_type="text/csv"), content_type="text/csv; charset=utf-8"
    ),
    "a Response of the model page": Result(
        lambda: sa.Response(
            status_code=200,
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "Connection": "keep-alive"},
            description=iter([b"data: 1\n\n"]),
        ),
        b"data: 1\n\n",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        content_type="text/event-stream",
    ),
    "html": Result(lambda: sa.html(generator(), streaming=True)),
    "a Response of one chunk": Result(lambda: sa.Response("ab"), headers={"Content-Length": "2"}),
    "a Response without a body": Result(
        lambda: sa.Response(iter("a"), status_code=204), b"", "204 NO CONTENT", {}, None
    ),
    "stream_with_context": Result(lambda: flask.stream_with_context(generator())),
    "with a status": Result(lambda: (generator(), 201), status="201 CREATED"),
    "with a status and its phrase": Result(lambda: (async_generator(), "299 Fine"), status="299 Fine"),
    "with headers": Result(lambda: (generator(), {"X-Count": 2}), headers={"X-Count": "2"}),
    "with Werkzeug's headers": Result(lambda: (generator(), Headers({"X-A": "1"})), headers={"X-A": "1"}),
    "with a list of headers": Result(lambda: (generator(), [("X-A", "1")]), headers={"X-A": "1"}),
    "with both": Result(
        lambda: (generator(), 404, Headers({"X-A": "1"})), status="404 NOT FOUND", headers={"X-A": "1"}
    ),
    "with neither": Result(lambda: (generator(), None, None)),
    "with a status that has no body": Result(lambda: (generator(), 304), b"", "304 NOT MODIFIED", {}, None),
    "with the media type of a format, which frames values": Result(
        lambda: (iter([{"a": 1}]), {"Content-Type": "application/json", "Connection": "keep-alive"}),
        b'[{"a":1}]',
        content_type="application/json",
    ),
    "a Response with a status": Result(lambda: (sa.Response(generator()), 201), status="201 CREATED"),
    "a Response with its own and other headers": Result(
        lambda: (sa.Response(generator(), headers={"X-A": "1", "X-B": "2"}), 200, {"X-B": "3"}),
        headers={"X-A": "1", "X-B": "3"},
    ),
    "a Response with a status that has no body": Result(
        lambda: (sa.Response(generator()), 304), b"", "304 NOT MODIFIED", {}, None
    ),
}

ONLY_IF_SAID: dict[str, Result] = {
    "a list": Result(lambda: ["a", "b"]),
    "text": Result(lambda: "ab", headers={"Content-Length": "2"}),
    "bytes": Result(lambda: b"ab", content_type="application/octet-stream"),
    "a mapping": Result(lambda: {"a": 1}, b'{"a":1}', content_type="application/json"),
    "text with a status": Result(lambda: ("ab", 201), status="201 CREATED"),
    "a number": Result(lambda: 42, b"42"),
}

FLASKS_OWN: dict[str, Result] = {
    "a response": Result(lambda: flask.Response("ab")),
    "a response with a status": Result(lambda: (flask.Response("ab"), 201), status="201 CREATED"),
    "a streaming response": Result(lambda: flask.Response(generator())),
    "a StreamResponse": Result(lambda: stream_response(generator())),
    "a StreamResponse with a status": Result(lambda: (stream_response(generator()), 201), status="201 CREATED"),
    "JSON": Result(lambda: flask.jsonify(1), b"1\n", content_type="application/json"),
}


def check(app: Flask, result: Result) -> None:
    response = app.test_client().get("/")
    assert response.data == result.body
    assert response.status == result.status
    assert response.headers.get("Content-Type") == result.content_type
    for name, value in result.headers.items():
        assert response.headers.getlist(name) == [value]
    assert "Connection" not in response.headers


@pytest.mark.parametrize("install", EVERY_WAY.values(), ids=EVERY_WAY)
@pytest.mark.parametrize("result", [*STREAMS.values(), *FLASKS_OWN.values()], ids=[*STREAMS, *FLASKS_OWN])
def test_view_returns_each_kind_of_result(app: Flask, install: Callable[[Flask, object], None], result: Result) -> None:
    install(app, result.make)
    check(app, result)


@pytest.mark.parametrize("install", EVERY_WAY.values(), ids=EVERY_WAY)
@pytest.mark.parametrize("result", STREAMS.values(), ids=STREAMS)
def test_async_view_returns_each_kind_of_result(
    app: Flask, install: Callable[[Flask, object], None], result: Result
) -> None:
    if result is STREAMS["stream_with_context"] and FLASK < (3, 1, 2):
        pytest.skip("Flask's own stream_with_context fails in async views before 3.1.2")

    async def view() -> object:
        return result.make()

    install(app, view)
    check(app, result)


@pytest.mark.parametrize("install", EXPLICIT.values(), ids=EXPLICIT)
@pytest.mark.parametrize("result", ONLY_IF_SAID.values(), ids=ONLY_IF_SAID)
def test_explicit_view_returns_each_iterable(
    app: Flask, install: Callable[[Flask, object], None], result: Result
) -> None:
    install(app, result.make)
    check(app, result)


@pytest.mark.parametrize("install", EVERY_WAY.values(), ids=EVERY_WAY)
def test_generator_view_is_streamed_by_each_installation(app: Flask, install: Callable[[Flask, object], None]) -> None:
    install(app, generator)
    check(app, Result(generator))


@pytest.mark.parametrize("install", EVERY_WAY.values(), ids=EVERY_WAY)
def test_async_generator_view_is_streamed(app: Flask, install: Callable[[Flask, object], None]) -> None:
    async def view() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    install(app, view)
    check(app, Result(generator))


def test_awaitable_of_a_stream_is_streamed(app: Flask) -> None:
    @app.get("/")
    @streaming
    def view() -> Awaitable[object]:
        return sa.Response(generator_later())  # type: ignore[return-value]  # a Response of an awaitable

    check(app, Result(generator))


NOT_STREAMS: dict[str, tuple[object, str]] = {
    "None": (None, "None; yield, or return something to stream"),
    "None with a status": ((None, 204), "None; yield, or return something to stream"),
    "an object": (object(), "what cannot be streamed; content: expected bytes, text"),
    "a generator function": (generator, "got generator function generator; call it"),
}


@pytest.mark.parametrize("install", EXPLICIT.values(), ids=EXPLICIT)
@pytest.mark.parametrize(("result", "message"), NOT_STREAMS.values(), ids=NOT_STREAMS)
def test_unstreamable_result_is_an_error_that_names_the_view(
    app: Flask, install: Callable[[Flask, object], None], result: object, message: str
) -> None:
    def a_view() -> object:
        return result

    install(app, a_view)
    app.testing = True
    with pytest.raises(TypeError, match=f"test_views.*: a_view returned .*{message}"):
        app.test_client().get("/")


@pytest.mark.parametrize("install", EXPLICIT.values(), ids=EXPLICIT)
@pytest.mark.parametrize("result", [(), (generator(),), (1, 2, 3, 4), (("a", "b"), 200)])
def test_a_tuple_that_is_not_flasks_is_refused_by_flask(
    app: Flask, install: Callable[[Flask, object], None], result: object
) -> None:
    install(app, lambda: result)
    app.testing = True
    with pytest.raises(TypeError, match="did not return a valid response"):
        app.test_client().get("/")


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "status": ({"status_code": 99}, "status_code: expected 200 to 599"),
    "header": ({"headers": {"X-A": "a\r\nb"}}, "headers: the value of X-A"),
    "media type": ({"media_type": "text"}, "media_type: expected type/subtype"),
    "name": ({"colour": "red"}, "unknown option 'colour'"),
}


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("entry", [streaming, StreamAdapter])
def test_a_bad_option_is_an_error_where_it_is_written(entry: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        entry(**options)


def test_decorator_options_fill_in_those_a_response_lacks(app: Flask) -> None:
    @app.get("/")
    @streaming(status_code=201, headers={"X-A": "1", "X-B": "1"})
    def view() -> object:
        return sa.Response(generator(), headers={"X-B": "2"})

    check(app, Result(generator, status="201 CREATED", headers={"X-A": "1", "X-B": "2"}))


def test_the_adapters_defaults_are_those_of_every_stream_that_it_makes(app: Flask) -> None:
    StreamAdapter(app, headers={"X-A": "1"}, media_type="text/css")
    app.get("/")(lambda: (generator(), 202))
    check(app, Result(generator, status="202 ACCEPTED", headers={"X-A": "1"}, content_type="text/css; charset=utf-8"))


def test_a_view_keeps_its_name_and_gets_its_arguments(app: Flask) -> None:
    @app.get("/<int:count>")
    @streaming
    def repeated(count: int) -> Iterator[str]:
        """Repeat."""
        yield "a" * count

    assert repeated.__name__ == "repeated"
    assert repeated.__doc__ == "Repeat."
    assert app.test_client().get("/3").data == b"aaa"


BY_FORMAT: dict[str, tuple[Any, list[Any], str, bytes]] = {
    "sse": (streaming.sse(retry=None, end="over"), ["a"], "text/event-stream", b"data: a\n\n"),
    "sse by a profile": (streaming.sse(profile="openai"), [{"a": 1}], "text/event-stream", b"data: [DONE]\n\n"),
    "ndjson": (streaming.ndjson(), [None], "application/x-ndjson", b"null\n"),
    "json_array": (streaming.json_array(), [1, 2], "application/json", b"[1,2]"),
    "json_seq": (streaming.json_seq(), [1], "application/json-seq", b"\x1e1\n"),
    "csv": (streaming.csv(("a", "b"), bom=False), [(1, 2)], "text/csv", b"a,b\r\n1,2\r\n"),
    "text": (streaming.text(), ["a"], "text/plain", b"a"),
    "html": (streaming.html(), ["<p>"], "text/html", b"<p>"),
    "sse without parentheses": (streaming.sse, ["a"], "text/event-stream", b"data: a\n\n"),
    "ndjson without parentheses": (streaming.ndjson, [None], "application/x-ndjson", b"null\n"),
    "csv without parentheses": (streaming.csv, [{"a": 1}], "text/csv", b"a\r\n1\r\n"),
    "html without parentheses": (streaming.html, ["<p>"], "text/html", b"<p>"),
}


@pytest.mark.parametrize(("decorator", "items", "media_type", "body"), BY_FORMAT.values(), ids=BY_FORMAT)
def test_a_generator_view_has_the_options_of_its_format_where_it_is_written(
    app: Flask, decorator: Any, items: list[Any], media_type: str, body: bytes
) -> None:
    def view() -> Iterator[Any]:
        yield from items

    app.get("/")(decorator(view))
    answer = app.test_client().get("/")
    assert answer.mimetype == media_type
    assert body in answer.data


def test_a_decorator_of_a_format_takes_the_options_of_a_response(app: Flask) -> None:
    @app.get("/")
    @streaming.ndjson(status_code=202, headers={"X-A": "1"})
    async def view() -> AsyncIterator[int]:
        yield 1

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.headers["X-A"], answer.data) == (202, "1", b"1\n")


@pytest.mark.parametrize("options", [{"keepalive": "soon"}, {"profile": "none"}, {"status": 1}, {"end": "a\nb"}])
def test_a_bad_option_of_a_format_is_an_error_where_it_is_written(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        streaming.sse(**options)


class Column(StrEnum):
    ID = "id"
    NAME = "name"


def test_class_whose_members_are_the_columns_of_csv_is_not_taken_for_a_view(app: Flask) -> None:
    csv = cast("Any", streaming.csv)  # type checkers take what can be called for a view

    def view() -> Iterator[tuple[int, str]]:
        yield 1, "Ada"

    app.get("/")(csv(Column)(view))
    assert app.test_client().get("/").data == b"id,name\r\n1,Ada\r\n"


@pytest.mark.parametrize(
    ("decorate", "problem"),
    [
        (
            lambda: streaming(cast("Any", "text/csv")),
            r"^streaming: expected a view, got str; .*@streaming\(",
        ),
        (lambda: streaming.sse(cast("Any", 15)), r"^streaming\.sse: expected a view, got int; .*@streaming\.sse\("),
    ],
)
def test_option_without_its_name_is_an_error_where_it_is_written(decorate: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        decorate()


class TooManyRequests(RefusalError):
    status_code = 429
    headers = MappingProxyType({"Retry-After": "7", "X-Limit": "3"})


class Teapot(RefusalError):
    status_code = 450


def test_custom_refusal_is_answered_with_its_status_and_headers(app: Flask) -> None:
    @app.get("/")
    @streaming
    def view() -> Iterator[str]:
        raise TooManyRequests
        yield "never"

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.headers["Retry-After"], answer.headers["X-Limit"]) == (429, "7", "3")


def test_custom_refusal_reaches_the_error_handler_of_its_status(app: Flask) -> None:
    @app.get("/")
    @streaming
    def view() -> Iterator[str]:
        raise TooManyRequests
        yield "never"

    app.register_error_handler(429, lambda error: ("handled", 429))
    assert app.test_client().get("/").data == b"handled"


def test_a_refusal_of_an_unregistered_status_is_answered_with_it(app: Flask) -> None:
    @app.get("/")
    @streaming
    async def view() -> AsyncIterator[str]:
        raise Teapot
        yield "never"

    assert app.test_client().get("/").status_code == 450
