"""The stream as a Flask response: what after_request functions and middleware see, change and replace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flask
import pytest
from flask import Flask, current_app
from flask.testing import EnvironBuilder

import stream_adapter as sa
from stream_adapter.integration import SyncBody
from stream_adapter_flask import StreamingResponse, stream_response, streaming
from tests.flask.journal import TORN_DOWN, Journal
from tests.support.gate import Gate
from tests.support.interfaces import call_wsgi
from tests.support.sources import in_way

either_way = pytest.mark.parametrize("way", ["sync", "async"])
After = Callable[[Any], flask.Response]


def started(app: Flask, source: Callable[[], object]) -> None:
    app.get("/")(streaming(source))


def unstarted(app: Flask, source: Callable[[], object]) -> None:
    app.get("/")(lambda: stream_response(source()))


each_way = pytest.mark.parametrize("install", [started, unstarted])


def values() -> Iterator[dict[str, int]]:
    yield {"a": 1}
    yield {"b": 2}


@pytest.mark.parametrize(
    ("install", "seen"), [(started, "application/x-ndjson"), (unstarted, "text/html")], ids=["started", "unstarted"]
)
def test_after_request_gets_a_flask_response(app: Flask, install: Any, seen: str) -> None:
    @app.after_request
    def look(response: flask.Response) -> flask.Response:
        assert isinstance(response, flask.Response)
        assert response.status_code == 200
        assert response.mimetype == seen
        assert response.is_streamed
        response.headers["X-Seen"] = "yes"
        return response

    install(app, values)
    response = app.test_client().get("/")
    assert response.headers["X-Seen"] == "yes"
    assert response.mimetype == "application/x-ndjson"
    assert response.data == b'{"a":1}\n{"b":2}\n'


@each_way
def test_headers_set_in_after_request_are_sent(app: Flask, install: Any) -> None:
    @app.after_request
    def change(response: flask.Response) -> flask.Response:
        response.status = "207 Mixed"
        response.content_type = "application/jsonl"
        response.headers["X-Accel-Buffering"] = "yes"
        return response

    install(app, values)
    response = app.test_client().get("/")
    assert (response.status, response.content_type) == ("207 Mixed", "application/jsonl")
    assert response.headers.getlist("X-Accel-Buffering") == ["yes"]
    assert response.data == b'{"a":1}\n{"b":2}\n'


def test_headers_removed_in_after_request_are_not_sent(app: Flask) -> None:
    @app.after_request
    def change(response: flask.Response) -> flask.Response:
        del response.headers["X-A"]
        return response

    unstarted(app, lambda: sa.Response(values(), headers={"X-A": "1", "X-B": "1"}))
    headers = app.test_client().get("/").headers
    assert "X-A" not in headers
    assert headers["X-B"] == "1"


@each_way
def test_format_headers_removed_in_after_request_are_not_sent(app: Flask, install: Any) -> None:
    @app.after_request
    def change(response: flask.Response) -> flask.Response:
        response.headers.clear()
        return response

    install(app, values)
    headers = app.test_client().get("/").headers
    assert ("X-Accel-Buffering" in headers) == (install is unstarted)  # there it was not known yet


def test_view_can_change_the_response_that_it_made(app: Flask) -> None:
    @app.get("/")
    def view() -> flask.Response:
        response = stream_response("abc", status_code=202)
        response.set_cookie("a", "b")
        return response

    client = app.test_client()
    assert client.get("/").status_code == 202
    assert client.get_cookie("a") is not None


@either_way
def test_stream_response_pulls_no_item(app: Flask, way: str) -> None:
    pulled: list[str] = []

    def source() -> Iterator[str]:
        pulled.append("item")
        yield "a"

    @app.get("/")
    def view() -> flask.Response:
        response = stream_response(in_way(way, source()))
        assert pulled == []
        return response

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        assert pulled == []
        return response

    assert app.test_client().get("/").data == b"a"
    assert pulled == ["item"]


def doubled(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield block + block


def replace_iterable(response: Any) -> flask.Response:
    response.response = doubled(response.response)
    return response  # type: ignore[no-any-return]  # it is any response


def replace_encoded(response: Any) -> flask.Response:
    return current_app.response_class(doubled(response.iter_encoded()), headers=response.headers)


def replace_response(response: Any) -> flask.Response:
    return current_app.response_class(doubled(response.response), headers=response.headers)


def read_whole(response: Any) -> flask.Response:
    response.data = b"".join(doubled([response.get_data()]))
    return response  # type: ignore[no-any-return]  # it is any response


REPLACEMENTS = [replace_iterable, replace_encoded, replace_response, read_whole]


@each_way
@either_way
@pytest.mark.parametrize("replace", REPLACEMENTS)
def test_after_request_function_can_replace_the_body(
    app: Flask, journal: Journal, install: Any, way: str, replace: After
) -> None:
    app.after_request(replace)
    install(app, lambda: sa.Response(journal.source(way), flush="item"))
    with app.test_client().get("/") as response:
        assert sorted(response.data) == sorted(b"aabbcc")
    assert sorted(journal) == sorted(["closed", *TORN_DOWN])


@each_way
@either_way
@pytest.mark.parametrize("replace", REPLACEMENTS)
def test_replaced_stream_and_replacement_are_closed_on_disconnect(
    app: Flask, journal: Journal, install: Any, way: str, replace: After
) -> None:
    app.after_request(replace)
    install(app, lambda: sa.Response(journal.source(way, "x" * 1000), flush="item"))
    call_wsgi(app, leave_after=1)
    assert sorted(journal) == sorted(["closed", *TORN_DOWN])


def instead(_: flask.Response) -> flask.Response:
    return flask.Response("instead")


@each_way
@either_way
def test_unsent_stream_is_closed_with_the_response_sent_instead(
    app: Flask, journal: Journal, install: Any, way: str
) -> None:
    app.after_request(instead)
    ended: list[str] = []
    install(
        app, lambda: sa.Response(journal.source(way, "x" * 100_000), on_close=lambda summary: ended.append("closed"))
    )
    with app.test_client().get("/") as response:
        assert response.data == b"instead"
    assert ended == ["closed"]
    assert journal.count("closed") == (1 if install is started else 0)


@each_way
@pytest.mark.parametrize("testing", [True, False])
def test_a_stream_whose_after_request_fails_is_closed(app: Flask, install: Any, testing: bool) -> None:
    def fail(_: flask.Response) -> flask.Response:
        raise LookupError

    app.testing = testing
    app.after_request(fail)
    ended: list[str] = []
    install(app, lambda: sa.Response(iter("abc"), on_close=lambda summary: ended.append("closed")))
    answer = call_wsgi(app)
    assert isinstance(answer.error, LookupError) if testing else answer.status == 500
    assert ended == ["closed"]


def test_a_stream_that_the_server_refuses_is_closed(app: Flask, journal: Journal) -> None:
    def refuse(*_: object) -> Any:
        raise LookupError

    started(app, lambda: journal.source("sync"))
    with pytest.raises(LookupError):
        app(EnvironBuilder(app).get_environ(), refuse)
    assert sorted(journal) == sorted(["closed", *TORN_DOWN])


@each_way
def test_response_class_of_the_app_is_kept(app: Flask, journal: Journal, install: Any) -> None:
    class AppResponse(flask.Response):
        default_mimetype = "text/css"

        def shout(self) -> None:
            self.headers["X-Shout"] = "HELLO"

    app.response_class = AppResponse

    @app.after_request
    def after(response: Any) -> flask.Response:
        response.shout()
        return response  # type: ignore[no-any-return]  # its class is AppResponse

    install(app, lambda: journal.source("sync"))
    for _ in range(2):
        journal.clear()
        response = app.test_client().get("/")
        assert response.headers["X-Shout"] == "HELLO"
        assert response.content_type == "text/css; charset=utf-8"
        assert response.data == b"abc"
        assert journal == ["closed", *TORN_DOWN]


def test_the_server_gets_the_stream_itself_unless_it_was_replaced(app: Flask) -> None:
    with app.test_request_context():
        response = stream_response("abc")
        assert isinstance(response, StreamingResponse)
        assert isinstance(response.response, SyncBody)
        response.close()


@either_way
def test_the_test_client_receives_each_item_before_the_next_is_made(app: Flask, way: str) -> None:
    received = Gate()

    def source() -> Iterator[str]:
        for item in "abc":
            yield item
            received.wait()

    async def async_source() -> Any:
        for item in "abc":
            yield item
            await received.wait_async()

    app.get("/")(streaming(flush="item")(source if way == "sync" else async_source))
    blocks: list[bytes] = []
    for block in app.test_client().get("/").iter_encoded():
        blocks.append(block)
        received.open()
    assert blocks == [b"a", b"b", b"c"]


def test_callbacks_on_close_run_after_the_source_is_closed_and_while_the_request_is_there(
    app: Flask, journal: Journal
) -> None:
    @app.get("/")
    def view() -> flask.Response:
        response = stream_response(journal.source("sync"))
        response.call_on_close(lambda: journal.append(f"callback of {flask.request.path}"))
        return response

    assert app.test_client().get("/").data == b"abc"
    assert journal == ["closed", "callback of /", *TORN_DOWN]


def test_failing_close_callback_does_not_prevent_closing(app: Flask, journal: Journal) -> None:
    @app.get("/")
    def view() -> flask.Response:
        response = stream_response(journal.source("sync", "x" * 1000))
        response.call_on_close(lambda: 1 / 0)
        return response

    answer = call_wsgi(app, leave_after=2)
    assert isinstance(answer.error, ZeroDivisionError)
    assert journal[0] == "closed"
    assert len(journal) == 3


@either_way
def test_streaming_works_under_a_wsgi_middleware(app: Flask, journal: Journal, way: str) -> None:
    inner: Any = app.wsgi_app

    def middleware(environ: Any, start_response: Any) -> Iterator[bytes]:
        blocks = inner(environ, start_response)
        try:
            yield from doubled(blocks)
        finally:
            blocks.close()

    app.wsgi_app = middleware  # type: ignore[method-assign]  # as Flask documents it
    app.get("/")(streaming(flush="item")(lambda: journal.source(way)))
    assert app.test_client().get("/").data == b"aabbcc"
    assert journal == ["closed", *TORN_DOWN]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@each_way
def test_wsgiref_validator_accepts_each_answer(app: Flask, install: Any, method: str) -> None:
    install(app, values)
    answer = call_wsgi(app, method=method)
    assert answer.error is None
    assert answer.complete
