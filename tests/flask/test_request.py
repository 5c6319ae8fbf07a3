"""The request lives as long as its stream: it is seen by the source, and torn down once, after the source is closed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import flask
import pytest
from flask import Flask, g, request, session
from flask.testing import EnvironBuilder
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

import stream_adapter as sa
from stream_adapter.testing import LiveServer, StalledClient
from stream_adapter_flask import StreamAdapter, stream_response, streaming
from tests.flask.journal import TORN_DOWN, Journal
from tests.support.interfaces import SOURCES, call_wsgi
from tests.support.sources import in_way

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

either_way = pytest.mark.parametrize("way", ["sync", "async"])


def responding(view: Callable[[], object]) -> Callable[[], flask.Response]:
    return lambda: stream_response(view())


either_function = pytest.mark.parametrize("entry", [streaming, responding])
seen: ContextVar[str] = ContextVar("seen", default="nothing")


@either_way
def test_request_session_and_g_are_there_in_every_step(app: Flask, way: str) -> None:
    @app.before_request
    def before() -> None:
        session["name"] = "Ada"
        g.count = 0

    def greetings() -> Iterator[str]:
        for greeting in ("Hello", "Goodbye"):
            g.count += 1
            yield f"{greeting} {session['name']} from {request.args['place']}, {g.count}. "

    app.get("/")(streaming(lambda: in_way(way, greetings())))
    response = app.test_client().get("/?place=London")
    assert response.text == "Hello Ada from London, 1. Goodbye Ada from London, 2. "


@either_way
def test_a_session_and_a_cookie_may_be_written_before_the_first_item(app: Flask, way: str) -> None:
    def source() -> Iterator[str]:
        session["seen"] = "yes"
        flask.after_this_request(lambda response: response.set_cookie("a", "b") or response)
        yield "a"

    app.get("/")(streaming(lambda: in_way(way, source())))
    app.add_url_rule("/seen", "seen", lambda: session["seen"])
    client = app.test_client()
    client.get("/")
    assert client.get("/seen").text == "yes"
    assert client.get_cookie("a") is not None


def test_a_session_written_after_the_first_item_is_not_saved_and_logs_it_for_debugging(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    @streaming
    def view() -> Iterator[str]:
        yield "a"
        session["late"] = "yes"

    with caplog.at_level(logging.DEBUG, "stream_adapter"):
        response = app.test_client().get("/")
        assert response.data == b"a"
    assert "Set-Cookie" not in response.headers
    assert "the session was modified after the first item" in caplog.text


@either_way
@pytest.mark.parametrize("install", ["decorator", "adapter"])
def test_the_variables_of_middleware_and_view_reach_the_source_and_its_own_stay(
    app: Flask, way: str, install: str
) -> None:
    if install == "adapter":
        StreamAdapter(app)
    wrap: Callable[[Any], Any] = streaming if install == "decorator" else lambda view: view

    def source() -> Iterator[str]:
        yield seen.get()
        seen.set("the source's")
        yield seen.get()
        yield seen.get()

    def sync_view() -> object:
        seen.set(f"{seen.get()} and the view's; ")
        return in_way(way, source())

    async def async_view() -> object:
        return sync_view()

    @app.before_request
    def before() -> None:
        seen.set("the middleware's")

    app.add_url_rule("/sync", "sync", wrap(sync_view))
    app.add_url_rule("/async", "async", wrap(async_view))

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        response.headers["X-Seen"] = seen.get()
        return response

    for path in ("/sync", "/async"):
        response = app.test_client().get(path)
        assert response.text == "the middleware's and the view's; the source'sthe source's"
        assert response.headers["X-Seen"] == "the middleware's and the view's; "


def test_an_async_view_and_its_generator_run_on_one_loop_that_outlives_the_request(app: Flask) -> None:
    @app.get("/")
    @streaming
    async def view() -> AsyncIterator[str]:
        yield str(id(asyncio.get_running_loop()))

    @app.get("/returned")
    @streaming
    async def returned() -> object:
        here = asyncio.get_running_loop()

        async def source() -> AsyncIterator[str]:
            yield str(id(asyncio.get_running_loop()))
            assert asyncio.get_running_loop() is here

        return source()

    client = app.test_client()
    assert client.get("/").text == client.get("/returned").text == client.get("/").text


@either_way
def test_the_request_is_torn_down_once_at_the_end(app: Flask, journal: Journal, way: str) -> None:
    app.get("/")(streaming(lambda: journal.source(way)))
    response = app.test_client().get("/")
    assert response.data == b"abc"
    assert journal == ["closed", *TORN_DOWN]
    response.close()
    assert journal == ["closed", *TORN_DOWN]


@either_way
@pytest.mark.parametrize("leave_after", [1, 2])
def test_the_request_is_torn_down_once_when_the_client_leaves(
    app: Flask, journal: Journal, way: str, leave_after: int
) -> None:
    app.get("/")(streaming(flush="item")(lambda: journal.source(way, "x" * 100_000)))
    call_wsgi(app, leave_after=leave_after)
    assert journal == ["closed", *TORN_DOWN]


@either_way
@either_function
@pytest.mark.parametrize("never", ["iterated", "iterated nor closed"])
def test_request_is_torn_down_once_if_the_body_is_never_sent(
    app: Flask, journal: Journal, way: str, entry: Any, never: str
) -> None:
    app.get("/")(entry(lambda: journal.source(way, "x" * 100_000)))
    body: Any = app(EnvironBuilder(app).get_environ(), lambda status, headers, exc_info=None: bytearray().extend)
    assert journal == []
    if never == "iterated":
        body.close()
    del body
    assert journal == ["closed", *TORN_DOWN]


@either_way
@either_function
def test_head_closes_the_unstarted_source_and_tears_down_the_request(
    app: Flask, journal: Journal, way: str, entry: Any
) -> None:
    source = SOURCES[way](["a"])
    app.get("/")(entry(lambda: sa.Response(source, on_close=lambda _: journal.append("closed"))))
    response = app.test_client().head("/")
    assert (response.status_code, response.data) == (200, b"")
    assert (source.steps, source.closes) == (0, 1)
    assert journal == ["closed", *TORN_DOWN]


def test_options_calls_no_view_and_other_methods_are_405(app: Flask) -> None:
    source = SOURCES["sync"](["a"])
    app.get("/")(streaming(lambda: source))
    assert set(app.test_client().options("/").allow) == {"GET", "HEAD", "OPTIONS"}
    assert app.test_client().post("/").status_code == 405
    assert (source.steps, source.closes) == (0, 0)


@either_way
@pytest.mark.parametrize("read", [True, False])
def test_within_a_client_that_keeps_contexts_the_request_is_seen_until_it_is_left(
    app: Flask, journal: Journal, way: str, read: bool
) -> None:
    @app.get("/<name>")
    @streaming
    def view(name: str) -> object:
        return journal.source(way, name)

    with app.test_client() as client:
        for name in ("first", "second"):
            response = client.get(f"/{name}")
            assert request.path == f"/{name}"
            if read:
                assert response.text == name
            response.close()
            assert request.path == f"/{name}"
    assert journal.count("closed") == 2
    assert journal.count("teardown of NoneType") == 2


@either_way
def test_a_stream_may_be_open_while_the_same_thread_makes_another_request(
    app: Flask, journal: Journal, way: str
) -> None:
    app.get("/")(streaming(flush="item")(lambda: journal.source(way)))
    with app.test_client().get("/") as outer:
        with app.test_client().get("/") as inner:
            assert inner.data == b"abc"
        assert outer.data == b"abc"
    assert journal.count("closed") == 2


@pytest.mark.parametrize("install", ["decorator", "adapter", "function"])
def test_stream_with_context_is_optional_and_harmless(app: Flask, journal: Journal, install: str) -> None:
    def view() -> Any:
        wrap: Any = flask.stream_with_context  # typed for iterators of text
        source = wrap(journal.source("sync"))
        return stream_response(source) if install == "function" else source

    if install == "adapter":
        StreamAdapter(app)
    app.get("/")(streaming(view) if install == "decorator" else view)
    assert app.test_client().get("/").data == b"abc"
    assert journal == ["closed", *TORN_DOWN]
    with app.test_client() as client, client.get("/") as response:  # the client pushes the context as well
        assert response.data == b"abc"
    assert journal.count("closed") == 2
    app.after_request_funcs[None] = [lambda _: flask.Response("instead")]  # and the stream is not sent
    with app.test_client().get("/") as response:
        assert response.data == b"instead"


@either_way
def test_streaming_works_under_werkzeug_debugger(app: Flask, journal: Journal, way: str) -> None:
    app.debug = True
    app.get("/")(streaming(flush="item")(lambda: journal.source(way)))
    response = Client(DebuggedApplication(app, evalex=True)).get("/")
    assert response.data == b"abc"
    assert journal == ["closed", *TORN_DOWN]


@pytest.mark.parametrize("around", ["debugger", "reporter"])
def test_client_that_leaves_a_silent_stream_is_not_an_error_for_what_is_around_the_app(
    app: Flask, capfd: pytest.CaptureFixture[str], around: str
) -> None:
    closed, reports = threading.Event(), list[BaseException]()

    @app.get("/")
    @streaming.sse(on_close=lambda summary: closed.set())
    async def view() -> AsyncIterator[str]:
        yield "a"
        await asyncio.Event().wait()

    def reporter(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        try:
            yield from app(environ, start_response)
        except Exception as error:  # as Sentry's middleware does
            reports.append(error)
            raise

    with LiveServer(DebuggedApplication(app, evalex=True) if around == "debugger" else reporter) as server:
        with StalledClient(server.url) as client:
            client.read_until(b"data: a")
            client.reset()
        assert closed.wait(10)
    assert reports == []
    assert "Traceback" not in capfd.readouterr().err


def test_the_source_is_iterated_in_the_thread_of_the_request(app: Flask) -> None:
    @app.get("/")
    @streaming
    def view() -> Iterator[str]:
        for _ in range(3):
            yield f"{threading.get_ident()} "

    assert set(app.test_client().get("/").text.split()) == {str(threading.get_ident())}
