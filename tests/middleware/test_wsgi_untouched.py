"""The WSGI middleware and the responses that it leaves alone, whenever their application says what they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast
from wsgiref.util import setup_testing_defaults

import pytest
from flask import Flask, Response, request

import stream_adapter as sa
from stream_adapter.types import Environ, ExcInfo, StartResponse, WSGIApp
from stream_adapter.wsgi import StreamAdapterMiddleware
from tests.support.interfaces import call_wsgi
from tests.support.sources import CountingSource

either_thread = pytest.mark.parametrize(
    "accept", ["*/*", "text/event-stream"], ids=["the request's thread", "a thread of its own"]
)
TEXT = ("Content-Type", "text/html")
EVENTS = ("Content-Type", "text/event-stream")
LENGTH = ("Content-Length", "3")
ETAG = ("ETag", '"a"')
Head = tuple[str, list[tuple[str, str]]]


def at_once(status: str, headers: list[tuple[str, str]], chunks: Iterable[bytes]) -> WSGIApp:
    """Make an application that says its head before it returns."""

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, headers)
        return iter(chunks)

    return app


def with_the_first_chunk(status: str, headers: list[tuple[str, str]], chunks: Iterable[bytes]) -> WSGIApp:
    """Make an application that is a generator, and says nothing before it is iterated, as WsgiDAV's."""

    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(status, headers)
        yield from chunks

    return app


whenever = pytest.mark.parametrize("make", [at_once, with_the_first_chunk])


def environ_of(method: str = "GET", **more: str) -> Environ:
    environ: Environ = {"REQUEST_METHOD": method, **more}
    setup_testing_defaults(environ)
    return environ


def serve(app: WSGIApp, environ: Environ) -> tuple[Head, bytes]:
    """Call as a server does; return the head and the body."""
    heads: list[Head] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        heads.append((status, headers))
        return lambda _: None

    body = app(environ, start_response)
    try:
        received = b"".join(body)
        return heads[-1], received
    finally:
        if hasattr(body, "close"):
            cast("Any", body).close()


@either_thread
@whenever
@pytest.mark.parametrize(
    ("method", "status", "headers", "chunks"),
    [
        ("GET", "404 Not Found", [TEXT, LENGTH], [b"abc"]),
        ("GET", "200 OK", [TEXT, LENGTH], [b"", b"a", b"", b"bc"]),
        ("GET", "200 OK", [EVENTS, LENGTH], [b"a\n\n"]),
        ("OPTIONS", "200 OK", [("content-length", "0")], []),
        ("DELETE", "204 No Content", [], []),
        ("DELETE", "204 No Content", [TEXT], [b""]),
        ("GET", "304 Not Modified", [ETAG], []),
        ("GET", "103 Early Hints", [], []),
        ("HEAD", "200 OK", [TEXT, LENGTH], []),
        ("HEAD", "200 OK", [TEXT], []),
    ],
)
@pytest.mark.parametrize("options", [{}, {"strict": True, "limits": sa.Limits(idle_timeout=5)}], ids=["plain", "timed"])
def test_response_that_is_not_a_stream_passes(
    method: str, status: str, headers: Any, chunks: list[bytes], make: Any, accept: str, options: Any
) -> None:
    closes: list[sa.StreamSummary] = []
    app = StreamAdapterMiddleware(make(status, headers, chunks), on_close=closes.append, **options)
    assert serve(app, environ_of(method, HTTP_ACCEPT=accept)) == ((status, headers), b"".join(chunks))
    assert closes == []


@either_thread
def test_generator_application_with_a_length_is_closed_once(accept: str) -> None:
    source = CountingSource([b"a", b"bc"])

    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [TEXT, LENGTH])
        try:
            yield from cast("Any", source)
        finally:
            source.close()

    answer = call_wsgi(StreamAdapterMiddleware(app), headers=[("Accept", accept)])
    assert (answer.body, answer.complete, answer.error, source.closes) == (b"abc", True, None, 1)


@either_thread
@pytest.mark.parametrize("body", [("", 204), ("", 304)], ids=["204", "304"])
def test_flasks_empty_responses_pass(body: Any, accept: str) -> None:
    flask, closes = Flask(__name__), list[sa.StreamSummary]()
    flask.add_url_rule("/", view_func=lambda: body)
    app = StreamAdapterMiddleware(flask.wsgi_app, on_close=closes.append)
    (_, headers), _ = serve(app, environ_of(HTTP_ACCEPT=accept))
    assert "X-Accel-Buffering" not in dict(headers)
    assert closes == []


@pytest.mark.parametrize("media_type", ["text/plain", "text/html", "application/x-ndjson", "text/csv"])
def test_stream_that_is_not_of_events_has_the_headers_of_its_application(media_type: str) -> None:
    headers = [("Content-Type", media_type)]
    assert serve(StreamAdapterMiddleware(at_once("200 OK", headers, [b"a", b"b"])), environ_of())[0][1] == headers


# exc_info


def raised() -> ExcInfo:
    try:
        raise LookupError("the real one")
    except LookupError:
        return sys.exc_info()


@whenever
@pytest.mark.parametrize("headers", [[TEXT], [TEXT, LENGTH]], ids=["a stream", "a length"])
def test_exc_info_by_keyword_replaces_the_head_before_the_first_chunk(make: Any, headers: Any) -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        del environ
        start_response("200 OK", headers)
        start_response("500 Oops", headers, exc_info=raised())
        yield b"abc"

    (status, _), body = serve(StreamAdapterMiddleware(app), environ_of())
    assert (status, body) == ("500 Oops", b"abc")


def test_exc_info_by_keyword_after_the_first_chunk_raises_the_real_error() -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        del environ
        start_response("200 OK", [TEXT])
        yield b"a"
        start_response("500 Oops", [], exc_info=raised())

    answer = call_wsgi(StreamAdapterMiddleware(app))
    assert (answer.status, answer.body, repr(answer.error)) == (200, b"a", "LookupError('the real one')")


def test_head_of_a_passed_response_is_replaced_by_the_server() -> None:
    """An iterator may fail at its first step, after its application has said a length, when nothing has been sent."""

    class Failing:
        def __init__(self, start_response: Any) -> None:
            self.start_response = start_response

        def __iter__(self) -> Iterator[bytes]:
            self.start_response("500 Oops", [LENGTH], exc_info=raised())
            yield b"sad"

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [TEXT, LENGTH])
        return Failing(start_response)

    (status, _), body = serve(StreamAdapterMiddleware(app), environ_of())
    assert (status, body) == ("500 Oops", b"sad")


def test_all_three_arguments_may_be_given_by_name() -> None:
    def app(environ: Environ, start_response: Any) -> Iterator[bytes]:
        del environ
        start_response(status="200 OK", headers=[TEXT], exc_info=None)
        yield b"a"

    assert serve(StreamAdapterMiddleware(app), environ_of())[0] == ("200 OK", [TEXT])


def test_write_from_within_the_iterable_of_a_stream_is_an_error() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        write = start_response("200 OK", [TEXT])
        yield b"a"
        write(b"b")

    answer = call_wsgi(StreamAdapterMiddleware(app))
    assert str(answer.error) == "write: called from within the returned iterable, which PEP 3333 forbids"


# With compress=True a 304 and a HEAD agree with the GET


def test_head_and_304_of_a_compressed_stream_have_the_fields_of_the_get() -> None:
    flask = Flask(__name__)

    @flask.get("/")
    def _rows() -> Response:
        if request.if_none_match.contains_weak("a"):
            return Response(status=304, headers=[ETAG])
        return Response(iter(["a,b\n"]), mimetype="text/csv", headers=[ETAG])

    def fields(method: str, **more: str) -> dict[str, str]:
        app = StreamAdapterMiddleware(flask.wsgi_app, compress=True)
        (status, headers), _ = serve(app, environ_of(method, HTTP_ACCEPT_ENCODING="gzip", **more))
        return {"status": status[:3], **{name.lower(): value for name, value in headers}}

    get, head, unchanged = fields("GET"), fields("HEAD"), fields("GET", HTTP_IF_NONE_MATCH='W/"a"')
    assert (get["etag"], get["vary"], get["content-encoding"]) == ('W/"a"', "Accept-Encoding", "gzip")
    assert head == get
    assert unchanged["status"] == "304"
    assert (unchanged["etag"], unchanged["vary"]) == (get["etag"], get["vary"])
