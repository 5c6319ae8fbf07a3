"""A WSGI application under ASGI: what a2wsgi and asgiref promise, and what they do not."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import ContextVar
from typing import Any, BinaryIO

import pytest
from flask import Flask, request

import stream_adapter as sa
from stream_adapter._adapters.file_wrapper import FileWrapper
from stream_adapter.types import Environ, Message, StartResponse, WSGIApp
from tests.adapters.asgi_client import exchange, messages_of
from tests.support.gate import Gate
from tests.support.interfaces import call_asgi
from tests.support.sources import CountingSource

OK = "200 OK"


def start_and_body(app: WSGIApp, parts: Iterable[bytes] = (), **scope: Any) -> tuple[Message, bytes]:
    start, *blocks = messages_of(sa.to_asgi(app), parts, **scope)
    return start, b"".join(block["body"] for block in blocks)


def answering(chunks: Iterable[Any], *headers: tuple[str, str], status: str = OK) -> WSGIApp:
    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return chunks

    return app


def environ_under(parts: Iterable[bytes] = (), **scope: Any) -> Environ:
    seen: Environ = {}

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = io.BytesIO(environ["wsgi.input"].read())  # here: once the response is over, the client may have left
        seen.update(environ | {"wsgi.input": body})
        start_response(OK, [])
        return []

    start_and_body(app, parts, **scope)
    return seen


# What asgiref's suite says of its WsgiToAsgi


def test_chunks_follow_status_and_headers() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        assert environ["HTTP_TEST_HEADER"] == "test value"
        start_response("200 OK", [("X-Colour", "Blue")])
        yield b"first chunk "
        yield b"second chunk"

    start, body = start_and_body(app, headers=[(b"test-header", b"test value")])
    assert start == {"type": "http.response.start", "status": 200, "headers": [(b"x-colour", b"Blue")]}
    assert body == b"first chunk second chunk"


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
def test_empty_body_still_has_a_status(chunks: list[bytes]) -> None:
    start, body = start_and_body(answering(chunks, status="404 Not Found"))
    assert (start["status"], body) == (404, b"")


@pytest.mark.parametrize("chunks", [[b"0123", b"45", b"6789"], [b"012345678"], [b"", b"01234567"]])
def test_a_body_is_cut_at_its_content_length(chunks: list[bytes]) -> None:
    assert start_and_body(answering(chunks, ("Content-Length", "8")))[1] == b"01234567"


def test_iterable_is_not_asked_for_more_than_the_content_length() -> None:
    source = CountingSource([b"0123", AssertionError("asked for more")])
    assert start_and_body(answering(source, ("content-length", "4")))[1] == b"0123"
    assert source.closes == 1


def test_a_body_shorter_than_its_content_length_breaks_the_connection() -> None:
    answer = call_asgi(sa.to_asgi(answering([b"0123"], ("Content-Length", "8"))))
    assert answer.body == b"0123"
    assert not answer.complete
    assert "announced 8 bytes and sent 4" in str(answer.error)


def test_an_application_may_change_its_mind_until_the_first_chunk() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "5")])
        yield b""
        try:
            raise ValueError("of the application")
        except ValueError:
            start_response("500 Server Error", [], sys.exc_info())
        yield b"Some long error message"

    start, body = start_and_body(app)
    assert (start["status"], start["headers"], body) == (500, [], b"Some long error message")


def test_a_body_in_parts_is_read_as_one() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        assert environ["wsgi.input"].read(12) == b"Hello World!"
        assert environ["wsgi.input"].read(12) == b""
        start_response(OK, [])
        return []

    assert start_and_body(app, [b"Hello ", b"World!"], headers=[(b"content-length", b"12")])[0]["status"] == 200


# What a2wsgi's suite says of its WSGIMiddleware


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response(OK, [("Content-Length", str(len(body)))])
    return [body]


@pytest.mark.parametrize("header", [(b"content-length", b"14"), (b"transfer-encoding", b"chunked")])
def test_request_body_reaches_the_wsgi_application(header: tuple[bytes, bytes]) -> None:
    assert start_and_body(echo, [b'{"exam', b"", b'ple":1}'], method="POST", headers=[header])[1] == b'{"example":1}'


def test_an_exception_is_the_servers() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(OK, [])
        raise RuntimeError("Something went wrong")

    answer = call_asgi(sa.to_asgi(app))
    assert answer.status is None
    assert str(answer.error) == "Something went wrong"


TEXT = b"This is a body test.\nWhy do this?\nTo prevent memory leaks.\n\nNewline.0\nNewline.1\nno newline"


READS: tuple[Callable[[BinaryIO], object], ...] = (
    lambda file: file.read(),
    lambda file: file.read(-1),
    lambda file: [file.read(5) for _ in range(30)],
    lambda file: [file.readline() for _ in range(10)],
    lambda file: [file.readline(4) for _ in range(40)],
    lambda file: [file.readline(20), file.read(4), file.readline(2), file.readlines(30), list(file)],
    lambda file: file.readlines(),
    lambda file: file.readlines(1),
    lambda file: (list(file), file.read(), file.readline(), file.readlines()),
)


@pytest.mark.parametrize("size", [1, 2, 7, 21, 22, 1000])
@pytest.mark.parametrize("read", READS)
def test_wsgi_input_has_each_read_method_of_a_file(read: Callable[[BinaryIO], object], size: int) -> None:
    results: list[object] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        results.append(read(environ["wsgi.input"]))
        start_response(OK, [])
        return []

    parts = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    start_and_body(app, parts, headers=[(b"transfer-encoding", b"chunked")])
    assert results == [read(io.BytesIO(TEXT))]


def test_the_environ_is_that_of_the_scope() -> None:
    environ = environ_under(
        http_version="2",
        scheme="https",
        path="/中文",
        query_string=b"a=123&b=456",
        headers=[
            (b"host", b"www.example.org"),
            (b"content-type", b"application/json"),
            (b"content-length", b"0"),
            (b"accept", b"application/json"),
            (b"accept", b"text/plain"),
        ],
        client=("134.56.78.4", 1453),
        server=("www.example.org", 443),
    )
    assert environ.pop("wsgi.input").read() == b""
    assert environ.pop("asgi.scope")["path"] == "/中文"
    assert not environ.pop("stream_adapter.connection").gone()
    assert environ == {
        "CONTENT_LENGTH": "0",
        "CONTENT_TYPE": "application/json",
        "HTTP_ACCEPT": "application/json,text/plain",
        "HTTP_HOST": "www.example.org",
        "PATH_INFO": "/中文".encode().decode("latin-1"),
        "QUERY_STRING": "a=123&b=456",
        "REMOTE_ADDR": "134.56.78.4",
        "REMOTE_PORT": "1453",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "www.example.org",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/2",
        "wsgi.errors": sys.stderr,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "wsgi.multiprocess": True,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "https",
        "wsgi.version": (1, 0),
    }


# The translation, where that of a2wsgi or asgiref is wrong


@pytest.mark.parametrize(
    ("root", "path", "script_name", "path_info"),
    [
        ("", "/foo", "", "/foo"),
        ("/app", "/app/foo", "/app", "/foo"),
        ("/app/", "/app/foo", "/app", "/foo"),
        ("/app", "/app", "/app", ""),
        ("/app", "/application", "/app", "/application"),
        ("/中国", "/中文", "/中国", "/中文"),
        ("/中国", "/中国/中文", "/中国", "/中文"),
    ],
)
def test_the_root_is_taken_off_the_path(root: str, path: str, script_name: str, path_info: str) -> None:
    environ = environ_under(root_path=root, path=path)
    assert environ["SCRIPT_NAME"].encode("latin-1").decode() == script_name
    assert environ["PATH_INFO"].encode("latin-1").decode() == path_info


@pytest.mark.parametrize(
    ("path", "raw_path", "path_info"),
    [
        ("/\ufffd", b"/%ff", "/\xff"),  # no UTF-8: the server could not decode it
        ("/a/b", b"/a%2Fb", "/a/b"),
        ("/rewritten", b"/original", "/rewritten"),  # by a middleware
        ("/a b", b"/a%20b", "/a b"),
    ],
)
def test_the_paths_bytes_are_those_that_were_sent(path: str, raw_path: bytes, path_info: str) -> None:
    environ = environ_under(path=path, raw_path=raw_path, query_string=b"q=\xe9")
    assert environ["PATH_INFO"] == path_info
    assert environ["QUERY_STRING"] == "q=\xe9"
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == raw_path.decode() + "?q=\xe9"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"headers": [(b"cookie", b"a=1"), (b"cookie", b"b=2")]}, {"HTTP_COOKIE": "a=1; b=2"}),
        ({"headers": [(b"x-name", b"caf\xe9")]}, {"HTTP_X_NAME": "caf\xe9"}),
        (
            {"headers": [(b"x_forwarded_for", b"forged"), (b"x-forwarded-for", b"true")]},
            {"HTTP_X_FORWARDED_FOR": "true"},
        ),
        ({"server": ("/run/app.sock", None)}, {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}),
        ({"server": None, "scheme": "https"}, {"SERVER_NAME": "localhost", "SERVER_PORT": "443"}),
        ({"client": None}, {"REMOTE_ADDR": None}),
    ],
)
def test_unusual_scope_becomes_the_environ_that_servers_make(
    scope: dict[str, Any], expected: dict[str, str | None]
) -> None:
    environ = environ_under(**scope)
    assert {name: environ.get(name) for name in expected} == expected


# The response


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
def test_iterable_of_a_response_without_a_body_is_not_read_to_its_end(method: str, status: str) -> None:
    source = CountingSource([b"first", b"second"])
    start, body = start_and_body(answering(source, ("Content-Length", "11"), status=status), method=method)
    whole = method == "GET" and status == OK
    assert (start["status"], body) == (int(status[:3]), b"firstsecond" if whole else b"")
    assert source.closes == 1


def test_names_are_lower_case_values_latin_1_and_repeated_fields_apart() -> None:
    headers = [("Set-Cookie", "a=1"), ("SET-COOKIE", "b=2"), ("X-Name", "caf\xe9"), ("Connection", "close")]
    start, _ = start_and_body(answering([], *headers))
    assert start["headers"] == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-name", b"caf\xe9")]


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        ("OK", [], "expected a status such as '200 OK', got 'OK'"),
        ("2000 OK", [], "got '2000 OK'"),
        (OK, [("X-A", "b\r\nX-C: d")], "the value of X-A has a control"),
        (OK, [("X A", "b")], "invalid field name 'X A'"),
        (OK, [("X-A", "\u20ac")], "non-latin-1"),
        (OK, [("Content-Length", "long")], "Content-Length: expected a number of bytes, got 'long'"),
        (OK, [("Content-Length", "-1")], "Content-Length: expected a number of bytes, got '-1'"),
    ],
)
def test_a_bad_head_is_an_error_before_anything_is_sent(
    status: str, headers: list[tuple[str, str]], message: str
) -> None:
    answer = call_asgi(sa.to_asgi(answering([b"body"], *headers, status=status)))
    assert answer.status is None
    assert message in str(answer.error)


def test_a_chunk_that_is_not_bytes_is_named() -> None:
    answer = call_asgi(sa.to_asgi(answering([b"first", "second"])))
    assert answer.body == b"first"
    assert str(answer.error) == "chunk 1: strict mode takes bytes, got str; yield value.encode() instead"


def _none(_: Environ, __: StartResponse) -> Iterable[bytes]:
    return [b"chunk"]


def _twice(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response(OK, [])
    start_response(OK, [])
    return []


@pytest.mark.parametrize(("app", "message"), [(_none, "did not call start_response"), (_twice, "a second time")])
def test_protocol_error_raises_a_message_with_the_reason(app: WSGIApp, message: str) -> None:
    answer = call_asgi(sa.to_asgi(app))
    assert answer.status is None
    assert message in str(answer.error)


def test_an_error_that_comes_too_late_for_its_page_is_raised() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(OK, [])
        yield b"first"
        try:
            raise LookupError("too late")
        except LookupError:
            start_response("500 Oh", [], sys.exc_info())
        yield b"page"

    answer = call_asgi(sa.to_asgi(app))
    assert (answer.status, answer.body, answer.complete) == (200, b"first", False)
    assert isinstance(answer.error, LookupError)


def test_each_chunk_is_on_its_way_before_the_next_is_asked_for() -> None:
    received = Gate()

    def chunks() -> Generator[bytes]:
        for number in range(3):
            yield b"%d" % number
            received.wait()

    async def ask() -> None:
        async with exchange(sa.to_asgi(answering(chunks()))) as asked:
            assert (await asked.next())["status"] == 200
            for number in range(3):
                assert (await asked.next())["body"] == b"%d" % number
                received.open()
            assert not (await asked.next())["more_body"]

    asyncio.run(ask())


def test_written_data_is_sent_at_once() -> None:
    received = Gate()

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response(OK, [("X-Early", "yes")])
        for number in range(3):
            write(b"%d" % number)
            received.wait()
        return [b"yielded"]

    async def ask() -> None:
        async with exchange(sa.to_asgi(app)) as asked:
            assert (await asked.next())["headers"] == [(b"x-early", b"yes")]
            for number in range(3):
                assert (await asked.next())["body"] == b"%d" % number
                received.open()
            assert (await asked.next())["body"] == b"yielded"

    asyncio.run(ask())


def test_write_blocks_while_the_client_reads_nothing() -> None:
    written = 0

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        nonlocal written
        write = start_response(OK, [])
        for _number in range(100):
            write(bytes(1000))
            written += 1
        return []

    summaries: list[sa.StreamSummary] = []
    answer = call_asgi(sa.to_asgi(app, limits=sa.Limits(high_water=2000), on_close=summaries.append), leave_after=1)
    assert 0 < len(answer.body) < 100_000
    assert written < 100
    assert [summary.reason for summary in summaries] == ["disconnect"]


@pytest.mark.parametrize(
    ("written", "message"), [(b"123456", "6 bytes are more than the Content-Length of 5"), ("text", "expected bytes")]
)
def test_write_of_an_invalid_value_is_an_error(written: Any, message: str) -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(OK, [("Content-Length", "5")])(written)
        return []

    answer = call_asgi(sa.to_asgi(app))
    assert answer.body == b""
    assert message in str(answer.error)


user: ContextVar[str] = ContextVar("user", default="unset")


def test_the_application_has_the_context_of_its_server() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(OK, [])
        yield user.get().encode()
        user.set("the application's")
        yield user.get().encode()

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        user.set("the server's,")
        await sa.to_asgi(app)(scope, receive, send)
        assert user.get() == "the server's,"

    assert call_asgi(outer).body == b"the server's,the application's"


# The request's body

CHUNKED = [(b"transfer-encoding", b"chunked")]


def test_body_is_read_as_it_arrives_during_the_response() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(OK, [])
        for line in environ["wsgi.input"]:
            yield line.upper()

    async def ask() -> None:
        async with exchange(sa.to_asgi(app), complete=False, headers=CHUNKED) as asked:
            for number in range(3):
                asked.send(b"line %d\n" % number, more=True)
                if number == 0:
                    assert (await asked.next())["status"] == 200
                assert (await asked.next())["body"] == b"LINE %d\n" % number
            asked.send()
            assert not (await asked.next())["more_body"]

    asyncio.run(ask())


PART = bytes(65536)


def test_request_body_is_received_no_faster_than_the_application_reads() -> None:
    wanted = Gate()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response(OK, [])
        yield b"started"
        for _ in range(20):
            wanted.wait()
            yield b"%d" % len(environ["wsgi.input"].read(len(PART)))

    async def ask() -> None:
        async with exchange(sa.to_asgi(app), [PART] * 20, headers=CHUNKED) as asked:
            await asked.next()
            await asked.next()
            for number in range(20):
                assert asked.received <= number + 4  # one in the window, one beside it, and a look or two ahead
                wanted.open()
                assert (await asked.next())["body"] == b"65536"
            assert not (await asked.next())["more_body"]

    asyncio.run(ask())


@pytest.mark.parametrize("headers", [[], CHUNKED])
@pytest.mark.parametrize("unread", [[], [b"a little"], [PART, PART]])
def test_a_client_that_leaves_closes_the_iterable_although_its_body_is_unread(
    headers: list[tuple[bytes, bytes]], unread: list[bytes]
) -> None:
    summaries: list[sa.StreamSummary] = []
    closed = Gate()

    def chunks() -> Generator[bytes]:
        try:
            while True:
                yield b"tick"
        finally:
            closed.open()

    async def ask() -> None:
        app = sa.to_asgi(answering(chunks()), on_close=summaries.append)
        async with exchange(app, unread, complete=not unread, headers=headers) as asked:
            await asked.next()
            asked.disconnect()
            await closed.wait_async()
            await asked.end()

    asyncio.run(ask())
    assert [summary.reason for summary in summaries] == ["disconnect"]


def test_disconnect_during_the_request_body_raises_in_read() -> None:
    errors: list[Exception] = []
    reading = Gate()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        del start_response
        reading.open()
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            errors.append(error)
            raise
        raise AssertionError("it was not complete")

    async def ask() -> None:
        async with exchange(sa.to_asgi(app), [b"a part"], complete=False, headers=CHUNKED) as asked:
            await reading.wait_async()
            asked.disconnect()
            await asked.end()

    asyncio.run(ask())
    assert [str(error) for error in errors] == ["[Errno 104] the client disconnected"]


def test_a_server_that_gives_up_ends_the_wait_for_the_body() -> None:
    reading, ended = Gate(), Gate()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        del start_response
        reading.open()
        try:
            return [environ["wsgi.input"].read()]
        finally:
            ended.open()

    async def ask() -> None:
        async with exchange(sa.to_asgi(app), complete=False, headers=CHUNKED) as asked:
            await reading.wait_async()
            asked.task.cancel()
            await ended.wait_async()

    asyncio.run(ask())


@pytest.mark.parametrize("read", [True, False])
def test_a_body_that_waits_to_be_asked_for_is_not_received_before(read: bool) -> None:
    may_go_on = Gate()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        may_go_on.wait()
        if read:
            environ["wsgi.input"].read()
        start_response(OK, [])
        yield b"answer"

    async def ask() -> None:
        async with exchange(sa.to_asgi(app), [b"part"], headers=[*CHUNKED, (b"expect", b"100-continue")]) as asked:
            for _ in range(10):
                await asyncio.sleep(0)
            assert asked.received == 0
            may_go_on.open()
            assert (await asked.next())["status"] == 200
            assert (await asked.next())["body"] == b"answer"

    asyncio.run(ask())


# Lifespan and websocket


def test_lifespan_of_a_wsgi_application_is_completed() -> None:
    async def ask() -> list[str]:
        messages: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[str] = []

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message["type"])

        await sa.to_asgi(answering([]))({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
        return sent

    assert asyncio.run(ask()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_websocket_to_a_wsgi_application_is_closed_with_1000() -> None:
    async def ask() -> Message:
        async with exchange(sa.to_asgi(answering([])), type="websocket") as asked:
            return await asked.next()

    assert asyncio.run(ask()) == {"type": "websocket.close", "code": 1000}


def test_a_scope_of_another_kind_is_an_error() -> None:
    async def ask() -> None:
        async with exchange(sa.to_asgi(answering([])), type="carrier-pigeon") as asked:
            with pytest.raises(ValueError, match="expected type http, lifespan or websocket, got 'carrier-pigeon'"):
                await asked.end()

    asyncio.run(ask())


def test_past_the_cap_of_threads_the_answer_is_503() -> None:
    release = Gate()

    def chunks() -> Generator[bytes]:
        yield b"first"
        release.wait()

    async def ask() -> Message:
        async with exchange(sa.to_asgi(answering(chunks()))) as asked:
            await asked.next()
            try:
                async with exchange(sa.to_asgi(answering([]))) as refused:
                    return await refused.next()
            finally:
                release.open()

    sa.configure(max_threads=1)
    try:
        start = asyncio.run(ask())
    finally:
        sa.configure()
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]


# What a response may say


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_content_length_is_dropped_for_204_and_304(status: str) -> None:
    start, body = start_and_body(answering([b""], ("Content-Length", "0"), ("X-A", "b"), status=status))
    assert (start["headers"], body) == ([(b"x-a", b"b")], b"")


def test_response_to_a_head_keeps_the_length_of_the_get() -> None:
    start, _ = start_and_body(answering([], ("Content-Length", "7")), method="HEAD")
    assert start["headers"] == [(b"content-length", b"7")]


# exc_info by keyword


def test_exc_info_by_keyword_replaces_the_head() -> None:
    def app(_: Environ, start_response: Any) -> Iterator[bytes]:
        start_response(OK, [])
        try:
            raise LookupError
        except LookupError:
            start_response("500 Oops", [("X-A", "b")], exc_info=sys.exc_info())
        yield b"sorry"

    start, body = start_and_body(app)
    assert (start["status"], start["headers"], body) == (500, [(b"x-a", b"b")], b"sorry")


def test_exc_info_by_keyword_that_comes_too_late_raises_the_real_error() -> None:
    def app(_: Environ, start_response: Any) -> Iterator[bytes]:
        start_response(OK, [])
        yield b"a"
        try:
            raise LookupError("the real one")
        except LookupError:
            start_response("500 Oops", [], exc_info=sys.exc_info())

    assert repr(call_asgi(sa.to_asgi(app)).error) == "LookupError('the real one')"


# A body that is withheld, or left unread


def reading(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response(OK, [])
    return [body]


def replying_first(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response(OK, [])
    yield b"begun"
    yield environ["wsgi.input"].read()


UPLOAD: dict[str, Any] = {"method": "POST", "headers": [(b"content-length", b"10")]}


def test_withheld_body_is_answered_408_and_gives_its_thread_back() -> None:
    async def main() -> list[Message]:
        async with exchange(sa.to_asgi(reading, receive_timeout=0.05), complete=False, **UPLOAD) as asked:
            asked.send(b"abc", more=True)
            messages = [await asked.next(), await asked.next()]
            await asked.end()
            return messages

    start, _ = asyncio.run(main())
    assert start["status"] == 408


def test_body_withheld_after_the_response_has_begun_breaks_it() -> None:
    async def main() -> None:
        async with exchange(sa.to_asgi(replying_first, receive_timeout=0.05), complete=False, **UPLOAD) as asked:
            assert (await asked.next())["status"] == 200
            assert (await asked.next())["body"] == b"begun"
            with pytest.raises(TimeoutError, match=r"request body: the client sent nothing for 0\.05 s"):
                await asked.end()

    asyncio.run(main())


def _data() -> bytes:
    return request.get_data()


def test_flask_error_handler_answers_a_withheld_request_body() -> None:
    flask = Flask(__name__)
    flask.add_url_rule("/", view_func=_data, methods=["POST"])

    async def main() -> int:
        async with exchange(sa.to_asgi(flask, receive_timeout=0.05), complete=False, **UPLOAD) as asked:
            status: int = (await asked.next())["status"]
            return status

    assert asyncio.run(main()) == 408


def test_body_that_arrives_slowly_and_steadily_is_read_whole() -> None:
    async def main() -> bytes:
        async with exchange(sa.to_asgi(reading, receive_timeout=2), complete=False, **UPLOAD) as asked:
            for _ in range(10):
                await asyncio.sleep(0.01)
                asked.send(b"a", more=True)
            asked.send()
            assert (await asked.next())["status"] == 200
            body: bytes = (await asked.next())["body"]
            return body

    assert asyncio.run(main()) == b"a" * 10


@pytest.mark.parametrize(
    ("timeout", "error"), [(0, ValueError), (-1, ValueError), ("30", TypeError), (float("nan"), ValueError)]
)
def test_receive_timeout_that_is_not_a_time_is_an_error(timeout: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="receive_timeout: expected"):
        sa.to_asgi(reading, receive_timeout=timeout)


def test_length_beside_a_transfer_encoding_is_dropped() -> None:
    environ = environ_under(headers=[(b"content-length", b"5"), (b"transfer-encoding", b"chunked")])
    assert "CONTENT_LENGTH" not in environ
    assert environ["HTTP_TRANSFER_ENCODING"] == "chunked"
