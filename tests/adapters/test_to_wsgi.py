"""An ASGI application under WSGI: what a2wsgi promises of its ASGIMiddleware, and what it does not."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import stream_adapter as sa
from stream_adapter._adapters.scope import scope_of
from stream_adapter.types import ASGIApp, Environ, Message, Receive, Scope, Send
from tests.adapters.wsgi_client import environ_for, open_reply, reply_of
from tests.support.gate import BOUND, Gate


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


START = start((b"content-type", b"text/plain"))


def block(body: object, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def http(respond: Callable[[Scope, Receive, Send], Awaitable[object]]) -> ASGIApp:
    """Make an application that knows no lifespan."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"no such scope: {scope['type']}")
        await respond(scope, receive, send)

    return app


def sending(*messages: Message) -> ASGIApp:
    async def respond(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return http(respond)


async def read_all(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        if not message["more_body"]:
            return body


async def _echo(_: Scope, receive: Receive, send: Send) -> None:
    body = await read_all(receive)
    headers = [(b"content-type", b"text/plain"), (b"Content-Length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


echo = http(_echo)


def scope_under(**environ: Any) -> Scope:
    seen: Scope = {}

    async def respond(scope: Scope, _: Receive, send: Send) -> None:
        seen.update(scope)
        await send(START)
        await send(block(b"", more=False))

    reply_of(sa.to_wsgi(http(respond)), environ_for(**environ))
    return seen


# What a2wsgi's suite says of its ASGIMiddleware


def test_asgi_response_becomes_status_headers_and_body_of_wsgi() -> None:
    headers = [[b"content-type", b"text/plain"], [b"Content-Length", b"13"], (b"X-Name", b"caf\xe9")]
    app = sending({**START, "headers": headers}, {"type": "http.response.body", "body": b"Hello, world!"})
    expected = {"content-type": "text/plain", "Content-Length": "13", "X-Name": "caf\xe9"}
    assert reply_of(sa.to_wsgi(app)) == ("200 OK", expected, b"Hello, world!")


@pytest.mark.parametrize("body", [b"", b"hi boy", bytes(200_000)])
@pytest.mark.parametrize("chunked", [False, True])
def test_request_body_reaches_the_asgi_application(body: bytes, chunked: bool) -> None:
    environ = environ_for(body, REQUEST_METHOD="POST", CONTENT_TYPE="text/plain")
    if chunked:
        del environ["CONTENT_LENGTH"]
        environ |= {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert reply_of(sa.to_wsgi(echo), environ)[2] == body


def test_request_without_length_has_no_body_unless_the_input_is_terminated() -> None:
    environ = environ_for(b"a next request's")
    del environ["CONTENT_LENGTH"]
    assert reply_of(sa.to_wsgi(echo), environ)[2] == b""


@pytest.mark.parametrize("messages", [[], [START]])
def test_an_exception_before_the_first_part_is_the_servers(messages: list[Message]) -> None:
    async def respond(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        raise RuntimeError("Something went wrong")

    with pytest.raises(RuntimeError, match="Something went wrong"), open_reply(sa.to_wsgi(http(respond))):
        pass


def test_background_work_does_not_delay_the_response() -> None:
    may_end, ended = Gate(), Gate()

    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(block(b"Hello, world!", more=False))
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        assert await receive() == {"type": "http.disconnect"}
        await may_end.wait_async()
        ended.open()

    assert reply_of(sa.to_wsgi(http(respond)))[2] == b"Hello, world!"
    may_end.open()
    ended.wait()


def test_receive_and_send_run_at_the_same_time() -> None:
    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def stream() -> None:
            await send(START)
            for number in range(10):
                await send(block(b"%d" % number))
            await send(block(b"", more=False))

        await asyncio.gather(listen(), stream())

    assert reply_of(sa.to_wsgi(http(respond)), environ_for(b"a body"))[2] == b"0123456789"


@pytest.mark.parametrize("content", [map(str, range(10)), (str(number).encode() for number in range(10))])
def test_streaming_response_of_starlette_is_sent_complete(content: Iterable[Any]) -> None:
    assert reply_of(sa.to_wsgi(http(StreamingResponse(content, media_type="text/plain"))))[2] == b"0123456789"


def test_starlettes_middleware_and_request() -> None:
    class Marking(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            response.headers["x-middleware"] = "true"
            return response

    async def view(request: Request) -> Response:
        assert not await request.is_disconnected()
        return JSONResponse(await request.json())

    app = Starlette(routes=[Route("/", view, methods=["POST"])], middleware=[Middleware(Marking)])
    environ = environ_for(b'{"hello":"world"}', REQUEST_METHOD="POST", CONTENT_TYPE="application/json")
    status, headers, body = reply_of(sa.to_wsgi(app), environ)
    assert (status, headers["x-middleware"], body) == ("200 OK", "true", b'{"hello":"world"}')


# The translation


def test_the_scope_is_that_of_the_environ() -> None:
    scope = scope_under(
        body=b"{}",
        REQUEST_METHOD="POST",
        SCRIPT_NAME="/\xe4\xb8\xad",
        PATH_INFO="/caf\xc3\xa9 a",
        QUERY_STRING="q=\xe9",
        RAW_URI="/%E4%B8%AD/caf%C3%A9%20a?q=\xe9",
        CONTENT_TYPE="application/json",
        HTTP_COOKIE="a=1; b=2",
        HTTP_X_NAME="caf\xe9",
        REMOTE_ADDR="10.0.0.1",
        REMOTE_PORT="4711",
        SERVER_PROTOCOL="HTTP/1.0",
    )
    assert scope.pop("wsgi_environ")["REQUEST_METHOD"] == "POST"
    headers = scope.pop("headers")
    assert sorted(headers) == [
        (b"content-length", b"2"),
        (b"content-type", b"application/json"),
        (b"cookie", b"a=1; b=2"),
        (b"host", b"127.0.0.1"),
        (b"x-name", b"caf\xe9"),
    ]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.0",
        "method": "POST",
        "scheme": "http",
        "path": "/中/café a",
        "raw_path": b"/%E4%B8%AD/caf%C3%A9%20a",
        "query_string": b"q=\xe9",
        "root_path": "/中",
        "server": ("127.0.0.1", 80),
        "client": ("10.0.0.1", 4711),
        "state": {},
        "extensions": {},
    }


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATH_INFO": "/\xff"}, {"path": "/\ufffd", "raw_path": b"/%FF"}),
        ({"PATH_INFO": "/a/b", "REQUEST_URI": "/a%2Fb?q"}, {"path": "/a/b", "raw_path": b"/a%2Fb"}),
        ({"PATH_INFO": "/rewritten", "RAW_URI": "/original"}, {"raw_path": b"/rewritten"}),
        ({"PATH_INFO": "/b", "SCRIPT_NAME": "/a"}, {"path": "/a/b", "root_path": "/a", "raw_path": b"/a/b"}),
        ({"REMOTE_ADDR": ""}, {"client": None}),
        ({"REMOTE_ADDR": "10.0.0.1"}, {"client": ("10.0.0.1", 0)}),
    ],
)
def test_unusual_environ_becomes_the_scope_that_servers_make(
    environ: dict[str, str], expected: dict[str, object]
) -> None:
    scope = scope_under(**environ)
    assert {name: scope[name] for name in expected} == expected


def test_a_server_that_names_the_bodys_fields_twice_or_empty_is_understood() -> None:
    environ = environ_for(b"{}", CONTENT_TYPE="", HTTP_CONTENT_TYPE="text/plain", HTTP_CONTENT_LENGTH="2")
    assert sorted(scope_of(environ, {})["headers"]) == [(b"content-length", b"2"), (b"host", b"127.0.0.1")]


# The response


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    app = sending(start(status=status), block(b"none", more=False))
    assert reply_of(sa.to_wsgi(app))[2] == b""


def test_a_head_request_has_the_headers_and_ends_an_endless_stream() -> None:
    ended = Gate()

    async def respond(_: Scope, __: Receive, send: Send) -> None:
        try:
            await send(start((b"content-type", b"text/plain"), (b"content-length", b"5")))
            while True:
                await send(block(b"endless"))
        finally:
            ended.open()

    status, headers, body = reply_of(sa.to_wsgi(http(respond)), environ_for(REQUEST_METHOD="HEAD"))
    assert (status, headers, body) == ("200 OK", {"content-type": "text/plain", "content-length": "5"}, b"")
    ended.wait()


def test_hop_by_hop_fields_are_dropped_and_repeated_ones_apart() -> None:
    pairs = [(b"connection", b"close"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    with open_reply(sa.to_wsgi(sending(start(*pairs, status=204), block(b"", more=False)))) as reply:
        assert reply.headers == [("set-cookie", "a=1"), ("set-cookie", "b=2")]
        assert list(reply.blocks) == []


LENGTH_5 = start((b"content-type", b"text/plain"), (b"content-length", b"5"))


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "returned before its response was complete"),
        ([START], "returned before its response was complete"),
        ([block(b"body")], "sent before http.response.start"),
        ([START, START], "sent twice"),
        ([START, block("text")], "expected bytes, got str"),
        ([START, block(None)], "expected bytes, got NoneType"),
        ([{**START, "status": "200"}], "expected a status from 200 to 599, got '200'"),
        ([{**START, "trailers": True}], "trailers were not offered"),
        ([{"type": "http.response.pathsend", "path": "/etc/passwd"}], "no extension was offered"),
        ([start((b"content-length", b"-1"))], "Content-Length: expected a number of bytes, got '-1'"),
        ([start((b"x", b"a\r\nb: c"))], "the value of x has a control"),
        ([LENGTH_5, block(b"123456")], "1 bytes longer than its Content-Length"),
        ([LENGTH_5, block(b"1234", more=False)], "1 bytes shorter than its Content-Length"),
    ],
)
def test_protocol_error_raises_a_message_with_the_reason(messages: list[Message], message: str) -> None:
    with pytest.raises((RuntimeError, ValueError, TypeError), match=message):
        reply_of(sa.to_wsgi(sending(*messages)))


def test_an_error_after_the_first_part_breaks_the_connection() -> None:
    async def respond(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send(block(b"first"))
        raise LookupError("of the application")

    summaries: list[sa.StreamSummary] = []
    with open_reply(sa.to_wsgi(http(respond), on_close=summaries.append)) as reply:
        assert next(reply.blocks) == b"first"
        with pytest.raises(LookupError):
            next(reply.blocks)
    assert [summary.reason for summary in summaries] == ["error"]


def test_an_error_after_the_response_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ended = Gate()

    async def respond(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        try:
            await send(block(b"body", more=False))
            await send(block(b"more"))
        finally:
            asyncio.get_running_loop().call_later(0, ended.open)

    with caplog.at_level(logging.ERROR):
        assert reply_of(sa.to_wsgi(http(respond)))[2] == b"body"
        ended.wait()
    assert "http.response.body was sent after the response was complete" in caplog.text


def test_each_part_is_on_its_way_before_the_next_is_sent() -> None:
    received = Gate()

    async def respond(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        for number in range(3):
            await send(block(b"%d" % number))
            await received.wait_async()
        await send(block(b"", more=False))

    with open_reply(sa.to_wsgi(http(respond))) as reply:
        for number in range(3):
            assert next(reply.blocks) == b"%d" % number
            received.open()
        assert list(reply.blocks) == []


def test_send_waits_while_the_client_reads_nothing() -> None:
    sent, ended = 0, Gate()

    async def respond(_: Scope, __: Receive, send: Send) -> None:
        nonlocal sent
        try:
            await send(START)
            while True:
                await send(block(bytes(1000)))
                sent += 1
        finally:
            ended.open()

    with open_reply(sa.to_wsgi(http(respond), limits=sa.Limits(high_water=2000))) as reply:
        next(reply.blocks)
    ended.wait()
    assert sent < 100


def test_the_head_of_an_event_stream_does_not_wait_for_the_first_event() -> None:
    may_go_on = Gate()

    async def respond(_: Scope, __: Receive, send: Send) -> None:
        await send(start((b"content-type", b"text/event-stream")))
        await may_go_on.wait_async()
        await send(block(b"data: 1\n\n", more=False))

    with open_reply(sa.to_wsgi(http(respond))) as reply:
        assert reply.status == "200 OK"
        assert next(reply.blocks) == b""
        may_go_on.open()
        assert list(reply.blocks) == [b"data: 1\n\n"]


# The request's body, and the disconnect


def test_request_body_is_read_no_faster_than_the_application_receives() -> None:
    """It is read by the request's thread, and not faster than it is wanted."""
    reads: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            reads.append(len(data))
            return data

    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send(block(b"%d," % len(reads)))
        await send(block(b"", more=False))

    environ = environ_for() | {"CONTENT_LENGTH": "1000000", "wsgi.input": Watched(bytes(1_000_000))}
    with open_reply(sa.to_wsgi(http(respond)), environ) as reply:
        blocks = b"".join(reply.blocks)
    assert blocks == b"".join(b"%d," % number for number in range(1, 17))
    assert sum(reads) == 1_000_000


def test_data_of_a_cancelled_receive_is_returned_by_the_next() -> None:
    cancelled = Gate()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            cancelled.wait()
            return super().read(size)

    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        for _attempt in range(3):
            asked = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            assert asked.cancel()
        cancelled.open()
        body = await read_all(receive)
        await send(START)
        await send(block(body, more=False))

    environ = environ_for(b"the whole body")
    environ["wsgi.input"] = Slow(b"the whole body")
    assert reply_of(sa.to_wsgi(http(respond)), environ)[2] == b"the whole body"


def test_a_body_that_ends_early_is_a_disconnect() -> None:
    received: list[Message] = []

    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        del send
        received.extend([await receive(), await receive(), await receive()])

    environ = environ_for(b"four")
    environ["CONTENT_LENGTH"] = "10"
    with pytest.raises(ConnectionResetError), open_reply(sa.to_wsgi(http(respond)), environ):
        pass
    assert [message["type"] for message in received] == ["http.request", "http.disconnect", "http.disconnect"]


async def _sends(_: Receive, send: Send) -> None:
    while True:
        await send(block(b"first"))
        await asyncio.sleep(0)


async def _listens(receive: Receive, send: Send) -> None:
    await send(block(b"first"))
    while (await receive())["type"] != "http.disconnect":
        pass


async def _takes_no_notice(_: Receive, send: Send) -> None:
    await send(block(b"first"))
    await asyncio.Event().wait()


@pytest.mark.parametrize("go_on", [_sends, _listens, _takes_no_notice])
def test_application_ends_after_its_client_disconnects(go_on: Callable[[Receive, Send], Awaitable[None]]) -> None:
    ended = Gate()

    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(START)
            await go_on(receive, send)
        finally:
            ended.open()

    summaries: list[sa.StreamSummary] = []
    with open_reply(sa.to_wsgi(http(respond), on_close=summaries.append)) as reply:
        next(reply.blocks)
    ended.wait()
    assert [summary.reason for summary in summaries] == ["disconnect"]


def test_application_that_saw_the_disconnect_may_finish() -> None:
    may_end, outcomes, ended = Gate(), list[str](), Gate()

    async def respond(_: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(block(b"first"))
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        await may_end.wait_async()
        outcomes.append("cleaned up")
        ended.open()

    with open_reply(sa.to_wsgi(http(respond))) as reply:
        next(reply.blocks)
    assert outcomes == []
    may_end.open()
    ended.wait()
    assert outcomes == ["cleaned up"]


user: ContextVar[str] = ContextVar("user", default="unset")


def test_the_application_has_the_context_of_its_server() -> None:
    async def respond(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send(block(user.get().encode(), more=False))

    def outer(environ: Environ, start_response: Any) -> Iterable[bytes]:
        user.set("the server's")
        return sa.to_wsgi(http(respond))(environ, start_response)

    assert reply_of(outer)[2] == b"the server's"


# Lifespan


def test_the_lifespan_starts_once_and_its_state_is_shared() -> None:
    started: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, Any]]:
        started.append("once")
        yield {"pool": ["a connection"]}

    async def view(request: Request) -> Response:
        request.state.pool.append("used")
        return JSONResponse(request.state.pool)

    app = sa.to_wsgi(Starlette(routes=[Route("/", view)], lifespan=lifespan))
    assert started == []
    assert reply_of(app)[2] == b'["a connection","used"]'
    assert reply_of(app)[2] == b'["a connection","used","used"]'
    assert started == ["once"]


def test_a_lifespan_that_cannot_start_is_an_error_and_tried_again() -> None:
    attempts: list[int] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            raise LookupError("no database yet")
        yield

    async def view(_: Request) -> Response:
        return Response("up", media_type="text/plain")

    app = sa.to_wsgi(Starlette(routes=[Route("/", view)], lifespan=lifespan))
    with pytest.raises(RuntimeError, match=r"startup failed: (?s:.*)no database yet"), open_reply(app):
        pass
    assert reply_of(app)[2] == b"up"
    assert attempts == [0, 1]


# Both


def test_an_application_comes_back_from_both_unchanged() -> None:
    twice = sa.to_wsgi(sa.to_asgi(sa.to_wsgi(echo)))
    assert reply_of(twice, environ_for(b"there and back", REQUEST_METHOD="POST"))[2] == b"there and back"


# What a response may say, and what a HEAD asks for


@pytest.mark.parametrize("status", [204, 304])
def test_content_length_is_dropped_for_204_and_304(status: int) -> None:
    app = sending(start((b"content-length", b"0"), (b"x-a", b"b"), status=status), block(b"", more=False))
    assert reply_of(sa.to_wsgi(app))[1] == {"x-a": "b"}


def test_body_sent_to_head_raises_each_time_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[OSError] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start((b"content-type", b"text/csv")))
        for _step in range(4):
            try:
                await send(block(b"row\n"))
            except OSError as error:
                errors.append(error)
        ended.set()
        raise RuntimeError("as Starlette does") from errors[0]

    ended = threading.Event()
    with open_reply(sa.to_wsgi(app), environ_for(REQUEST_METHOD="HEAD")) as reply:
        assert b"".join(reply.blocks) == b""
        assert ended.wait(BOUND)
    assert len(errors) == 3
    assert {str(error) for error in errors} == {str(errors[0])}
    assert "HEAD" in str(errors[0])
    assert [record.getMessage() for record in caplog.records if record.levelname != "DEBUG"] == []


# The request's length


@pytest.mark.parametrize("length", ["abc", "-1", "+1", "1" * 5000, "\xb9"])
def test_length_that_is_not_one_is_answered_400(length: str) -> None:
    statuses: list[str] = []

    def start_response(status: str, *_: object) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _: None

    assert list(sa.to_wsgi(sending())({**environ_for(), "CONTENT_LENGTH": length}, start_response)) == []
    assert statuses == ["400 Bad Request"]


def test_length_beside_a_transfer_encoding_is_dropped() -> None:
    environ = environ_for(b"0123456789", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="5")
    environ["wsgi.input_terminated"] = True
    bodies: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert b"content-length" not in dict(scope["headers"])
        more = True
        while more:
            message = await receive()
            bodies.append(message["body"])
            more = message["more_body"]
        await send(start((b"content-type", b"text/plain")))
        await send(block(b"", more=False))

    assert reply_of(sa.to_wsgi(app), environ)[0] == "200 OK"
    assert b"".join(bodies) == b"0123456789"
