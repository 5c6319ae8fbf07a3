"""The WSGI middleware, in process: what it changes of a stream, and that it changes nothing else."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, cast
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

import stream_adapter as sa
from stream_adapter.types import Environ, StartResponse, WSGIApp
from stream_adapter.wsgi import StreamAdapterMiddleware
from tests.support.gate import BOUND
from tests.support.interfaces import call_wsgi
from tests.support.sources import CountingSource

EVENTS = [("Accept", "text/event-stream")]
either_thread = pytest.mark.parametrize("headers", [[], EVENTS], ids=["the request's thread", "a thread of its own"])


def app_of(chunks: Any, media_type: str = "text/plain", **headers: str) -> WSGIApp:
    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", media_type), *headers.items()])
        body: Any = chunks() if callable(chunks) else chunks
        return cast("Iterable[bytes]", body)

    return app


def environ_of(**more: Any) -> Environ:
    environ: Environ = {}
    setup_testing_defaults(environ)
    return environ | more


def ignore(*_: object) -> Callable[[bytes], object]:
    return lambda _: None


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(app_of([b"a"]), id="a list"),
        pytest.param(app_of((b"a", b"b")), id="a tuple"),
        pytest.param(app_of(iter([b"a"]), **{"content-length": "1"}), id="an iterator with its length"),
        pytest.param(app_of(FileWrapper(io.BytesIO(b"a"))), id="a file for the server"),
    ],
)
def test_response_that_does_not_stream_passes_as_the_same_object(app: WSGIApp) -> None:
    returned: list[object] = []

    def inner(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        returned.append(app(environ, start_response))
        return returned[0]  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # it is what app returned

    heads: list[object] = []
    environ = environ_of(**{"wsgi.file_wrapper": FileWrapper})

    def start_response(*head: object) -> Callable[[bytes], object]:
        heads.append(head)
        return ignore

    given = StreamAdapterMiddleware(inner, compress=True)(environ, start_response)
    assert given is returned[0]
    assert len(heads) == 1
    assert not any("Vary" in str(head) for head in heads)


@either_thread
def test_a_stream_is_valid_inside_and_outside(headers: Any) -> None:
    answer = call_wsgi(StreamAdapterMiddleware(validator(app_of(lambda: iter([b"a", b"b"])))), headers=headers)
    assert (answer.status, answer.body, answer.complete, answer.error) == (200, b"ab", True, None)


@either_thread
def test_generator_application_is_streamed(headers: Any) -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("201 Created", [("Content-Type", "text/plain")])
        yield b""
        yield b"a"

    answer = call_wsgi(StreamAdapterMiddleware(app), headers=headers)
    assert (answer.status, answer.body) == (201, b"a")


@pytest.mark.parametrize(
    ("chunk", "expected"), [("ä", "ä".encode()), (1, b"1"), ({"a": 1}, b'{"a":1}'), (bytearray(b"a"), b"a")]
)
def test_a_chunk_of_the_table_becomes_bytes(chunk: object, expected: bytes) -> None:
    assert call_wsgi(StreamAdapterMiddleware(app_of(iter([chunk])))).body == expected


@either_thread
@pytest.mark.parametrize(("options", "chunk"), [({"strict": True}, "text"), ({}, None), ({}, object())])
def test_a_chunk_that_cannot_be_sent_is_named_before_anything_is_sent(
    headers: Any, options: Any, chunk: object
) -> None:
    source = CountingSource([chunk])
    answer = call_wsgi(StreamAdapterMiddleware(app_of(source), **options), headers=headers)
    assert answer.status is None
    assert str(answer.error).startswith("chunk 0: ")
    assert source.closes == 1


@either_thread
def test_an_error_before_the_first_chunk_reaches_the_server_and_nothing_else_does(headers: Any) -> None:
    source = CountingSource([LookupError("early")])
    answer = call_wsgi(StreamAdapterMiddleware(app_of(source)), headers=headers)
    assert (answer.status, repr(answer.error), source.closes) == (None, "LookupError('early')", 1)


@either_thread
def test_a_later_error_breaks_the_response(headers: Any) -> None:
    source = CountingSource([b"a", LookupError("late")])
    answer = call_wsgi(StreamAdapterMiddleware(app_of(source)), headers=headers)
    assert (answer.body, repr(answer.error), answer.complete, source.closes) == (b"a", "LookupError('late')", False, 1)


@either_thread
def test_chunks_that_wait_for_others_are_sent_before_a_later_error_breaks_the_response(headers: Any) -> None:
    source = CountingSource([b"a", b"", b"b", b"c", LookupError("late")])
    summaries: list[sa.StreamSummary] = []
    app = StreamAdapterMiddleware(app_of(source, "text/csv"), on_close=summaries.append)
    answer = call_wsgi(app, headers=headers)
    assert (answer.status, answer.body, answer.complete) == (200, b"abc", False)
    assert repr(answer.error) == "LookupError('late')"
    assert b"" not in answer.blocks
    assert [(summary.reason, summary.bytes_sent) for summary in summaries] == [("error", 3)]


@either_thread
def test_client_disconnect_closes_the_iterable_once(headers: Any) -> None:
    source = CountingSource([b"a"] * 1000)
    summaries: list[sa.StreamSummary] = []
    call_wsgi(StreamAdapterMiddleware(app_of(source), on_close=summaries.append), headers=headers, leave_after=1)
    assert source.closes == 1
    assert [summary.reason for summary in summaries] == ["disconnect"]


@either_thread
@pytest.mark.parametrize("more", [{}, {"content-length": "1"}], ids=["a stream", "no stream"])
def test_application_is_called_iterated_and_closed_in_one_thread_and_context(
    headers: Any, more: dict[str, str]
) -> None:
    variable = ContextVar("variable", default="unset")
    seen: list[tuple[int, str]] = []

    class Body(CountingSource):
        def __next__(self) -> object:
            seen.append((threading.get_ident(), variable.get()))
            variable.reset(tokens.pop())
            tokens.append(variable.set("iterated"))
            return super().__next__()

        def close(self) -> None:
            seen.append((threading.get_ident(), variable.get()))
            variable.reset(tokens.pop())

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        seen.append((threading.get_ident(), variable.get()))
        tokens.append(variable.set("called"))
        start_response("200 OK", [("Content-Type", "text/plain"), *more.items()])
        return Body([b"a"])  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # of bytes, here

    tokens: list[Any] = []
    variable.set("outside")
    assert call_wsgi(StreamAdapterMiddleware(app), headers=headers).error is None
    assert len({thread for thread, _ in seen}) == 1
    assert (seen[0][0] == threading.get_ident()) is (not headers)
    assert [value for _, value in seen] == ["outside", "called", "iterated", "iterated"]


@either_thread
def test_written_data_is_sent_at_once(headers: Any) -> None:
    blocks: list[bytes] = []

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"a")
        assert answered == ["200 OK"]
        write(b"b")
        return iter([b"c"])

    answered: list[str] = []

    def start_response(status: str, *_: object) -> Callable[[bytes], object]:
        answered.append(status)
        return blocks.append

    accept = {"HTTP_ACCEPT": "text/event-stream"} if headers else {}
    body: Any = StreamAdapterMiddleware(app)(environ_of(**accept), start_response)
    assert [*blocks, *body] == [b"a", b"b", b"c"]
    assert answered == ["200 OK"]
    if headers:
        body.close()  # as a server does, which gives the thread back


def test_the_head_may_be_replaced_before_the_first_chunk() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            raise LookupError
        except LookupError:
            start_response("500 Oops", [("Content-Type", "text/html")], sys.exc_info())  # pyright: ignore[reportArgumentType]  # there is one
        yield b"sorry"

    answer = call_wsgi(StreamAdapterMiddleware(app))
    assert (answer.status, answer.reason, answer.body) == (500, "Oops", b"sorry")
    assert answer.header("content-type") == ["text/html"]


def test_head_replaced_after_the_first_chunk_is_an_error() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"a"
        try:
            raise LookupError("too late")
        except LookupError:
            start_response("500 Oops", [], sys.exc_info())  # pyright: ignore[reportArgumentType]  # there is one

    answer = call_wsgi(StreamAdapterMiddleware(app))
    assert (answer.status, answer.body, repr(answer.error)) == (200, b"a", "LookupError('too late')")


def test_application_that_never_calls_start_response_is_named() -> None:
    def silent(_: Environ, __: StartResponse) -> Iterable[bytes]:
        return iter([b"a"])

    answer = call_wsgi(StreamAdapterMiddleware(silent))
    assert str(answer.error) == "the application did not call start_response before its first chunk (PEP 3333)"


def test_a_second_head_without_exc_info_is_an_error() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return []

    with pytest.raises(RuntimeError, match="second time without exc_info"):
        StreamAdapterMiddleware(app)(environ_of(), ignore)


def test_chunks_of_a_type_that_is_not_live_are_batched() -> None:
    answer = call_wsgi(StreamAdapterMiddleware(app_of(lambda: iter([b"row\n"] * 1000), "application/zip")))
    assert answer.body == b"row\n" * 1000
    assert len(answer.blocks) < 100


@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "text/event-stream", "Application/X-NDJSON"])
def test_chunks_of_a_live_media_type_are_sent_one_by_one(media_type: str) -> None:
    answer = call_wsgi(StreamAdapterMiddleware(app_of(lambda: iter([b"row\n"] * 10), media_type)))
    assert answer.blocks == [b"row\n"] * 10


def test_live_media_types_can_be_configured() -> None:
    app = StreamAdapterMiddleware(app_of(lambda: iter([b"row\n"] * 10), "text/csv"), live={"text/csv"})
    assert call_wsgi(app).blocks == [b"row\n"] * 10


def test_a_silent_event_stream_is_kept_alive() -> None:
    heard = threading.Event()

    def events() -> Iterator[bytes]:
        yield b"data: a\n\n"
        assert heard.wait(BOUND)
        yield b"data: b\n\n"

    class Listener:
        def on_start(self) -> None: ...
        def on_block(self, block: bytes) -> None:
            if block == b":\n":
                heard.set()

    app = StreamAdapterMiddleware(app_of(events, "text/event-stream"), keepalive=0.01)
    answer = call_wsgi(app, headers=EVENTS, watcher=Listener())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a watcher by its shape
    assert answer.body.replace(b":\n", b"") == b"data: a\n\ndata: b\n\n"
    assert answer.header("x-accel-buffering") == ["no"]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(sa.Limits(idle_timeout=0.05), "idle_timeout"), (sa.Limits(total_timeout=0.05), "total_timeout")],
)
def test_a_deadline_ends_a_stream_that_is_silent(limits: sa.Limits, reason: str) -> None:
    released = threading.Event()

    def silent() -> Iterator[bytes]:
        yield b"a"
        assert released.wait(BOUND)

    summaries: list[sa.StreamSummary] = []

    def closed(summary: sa.StreamSummary) -> None:
        summaries.append(summary)

    app = StreamAdapterMiddleware(
        app_of(silent),
        limits=sa.Limits(idle_timeout=limits.idle_timeout, total_timeout=limits.total_timeout, close_timeout=0.05),
        on_close=closed,
    )
    answer = call_wsgi(app)
    released.set()
    assert isinstance(answer.error, sa.StreamTimeoutError)
    assert [summary.reason for summary in summaries] == [reason]


@either_thread
def test_unread_iterable_of_a_head_request_is_closed_in_the_calling_thread(headers: Any) -> None:
    threads: list[int] = []

    class Body(CountingSource):
        def close(self) -> None:
            threads.append(threading.get_ident())

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        threads.append(threading.get_ident())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Body([b"a"])  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # of bytes, here

    assert call_wsgi(StreamAdapterMiddleware(app), method="HEAD", headers=headers).error is None
    called, closed = threads
    assert called == closed


@either_thread
def test_a_head_request_pulls_no_more_than_the_first_chunk(headers: Any) -> None:
    source = CountingSource([b"a"] * 1000)
    answer = call_wsgi(StreamAdapterMiddleware(app_of(source), compress=True), method="HEAD", headers=headers)
    assert (answer.status, answer.body, source.closes) == (200, b"", 1)
    assert source.steps <= 1


BODY = b"first\nsecond\nthird"


@either_thread
def test_request_body_is_read_by_every_method_of_an_input(headers: list[tuple[str, str]]) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        parts = [body.read(3), body.readline(), *body.readlines(1), *body, body.read()]
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"|".join(parts)

    more = {f"HTTP_{name.upper()}": value for name, value in headers}
    environ = environ_of(REQUEST_METHOD="POST", CONTENT_LENGTH=str(len(BODY)), **more)
    environ["wsgi.input"] = io.BytesIO(BODY)
    body = StreamAdapterMiddleware(app)(environ, ignore)
    assert b"".join(body) == b"fir|st\n|second\n|third|"
    cast("Any", body).close()


@pytest.mark.parametrize(
    ("timeout", "more"), [(None, {"CONTENT_LENGTH": "3"}), (30, {"CONTENT_LENGTH": "0"}), (30, {"CONTENT_LENGTH": ""})]
)
def test_input_of_a_request_is_the_servers_own_where_no_body_is_bounded(
    timeout: float | None, more: dict[str, str]
) -> None:
    seen: list[object] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ["wsgi.input"])
        start_response("200 OK", [])
        return []

    environ = environ_of(**more)
    given = environ["wsgi.input"]
    StreamAdapterMiddleware(app, receive_timeout=timeout)(environ, ignore)
    assert seen == [given]


@pytest.mark.parametrize(("timeout", "error"), [(0, ValueError), (-1, ValueError), ("30", TypeError)])
def test_receive_timeout_that_is_not_a_number_of_seconds_is_an_error(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="receive_timeout: expected"):
        StreamAdapterMiddleware(app_of([]), receive_timeout=timeout)
