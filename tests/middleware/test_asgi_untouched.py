"""The ASGI middleware and the responses that it leaves alone: those with a length, without a body, and to HEAD."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.gate import BOUND
from tests.support.interfaces import asgi_channel

TEXT = (b"content-type", b"text/plain")
EVENTS = (b"content-type", b"text/event-stream")
LENGTH = (b"content-length", b"4")


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


END = part(b"", more=False)


def app_of(*messages: Message) -> ASGIApp:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


async def call(app: ASGIApp, *, method: str = "GET", headers: Sequence[tuple[bytes, bytes]] = ()) -> list[Message]:
    receive, send, sent = asgi_channel()
    scope: Scope = {"type": "http", "method": method, "path": "/", "headers": list(headers)}
    await asyncio.wait_for(_coroutine(app, scope, receive, send), BOUND)
    return sent


async def _coroutine(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def sent_by(app: ASGIApp, **how: Any) -> list[Message]:
    return asyncio.run(call(app, **how))


PASSING = {
    "a length, in parts": ("GET", [start(TEXT, LENGTH), part(b"ab"), part(b"cd"), END]),
    "a length in capitals": ("GET", [start(TEXT, (b"Content-Length", b"4")), part(b"ab"), part(b"cd", more=False)]),
    "events with a length": (
        "GET",
        [
            start(EVENTS, (b"content-length", b"9")),
            part(b"data: a\n"),
            part(b"\n"),
            END,
        ],
    ),
    "204": ("GET", [start(status=204), END]),
    "204 in parts": ("GET", [start(TEXT, status=204), part(b""), part(b""), END]),
    "304": ("GET", [start((b"etag", b'"a"'), status=304), part(b""), END]),
    "304 with a length": ("GET", [start(LENGTH, status=304), END]),
    "103": ("GET", [start(status=103), END]),
    "HEAD with a length": ("HEAD", [start(TEXT, LENGTH), part(b"ab"), part(b"cd", more=False)]),
    "HEAD without one": ("HEAD", [start((b"content-type", b"image/png")), END]),
}


@pytest.mark.parametrize("options", [{}, {"compress": True, "strict": True}], ids=["plain", "compress"])
@pytest.mark.parametrize(("method", "messages"), PASSING.values(), ids=PASSING)
def test_response_that_is_not_a_stream_passes_as_the_same_messages(
    method: str, messages: list[Message], options: Any
) -> None:
    closes: list[sa.StreamSummary] = []
    app = StreamAdapterMiddleware(app_of(*messages), on_close=closes.append, **options)
    sent = sent_by(app, method=method, headers=[(b"accept-encoding", b"gzip")])
    assert [id(message) for message in sent] == [id(message) for message in messages]
    assert closes == []


def test_each_part_reaches_the_server_before_the_application_goes_on() -> None:
    seen: list[int] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in (start(TEXT, LENGTH), part(b"ab"), part(b"cd", more=False)):
            await send(message)
            seen.append(len(sent))

    receive, send, sent = asgi_channel()
    scope: Scope = {"type": "http", "method": "GET", "path": "/"}
    asyncio.run(_coroutine(StreamAdapterMiddleware(app), scope, receive, send))
    assert seen == [1, 2, 3]


def test_headers_given_as_an_iterator_reach_the_server_whole() -> None:
    head = {**start(), "headers": iter([TEXT, LENGTH])}
    sent = sent_by(StreamAdapterMiddleware(app_of(head, part(b"abcd", more=False))))
    assert list(sent[0]["headers"]) == [TEXT, LENGTH]


@pytest.mark.parametrize("media_type", [b"text/plain", b"text/html", b"application/x-ndjson", b"text/csv", b""])
def test_stream_that_is_not_of_events_has_the_headers_of_its_application(media_type: bytes) -> None:
    headers = [(b"content-type", media_type)] if media_type else []
    sent = sent_by(StreamAdapterMiddleware(app_of(start(*headers), part(b"a"), part(b"b"), END)))
    assert sent[0]["headers"] == headers


class Leaving:
    """A client that has sent its request and leaves when `gone` is set; `send` says nothing of it, as uvicorn's."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.requests: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        self.sent: list[Message] = []
        self.has_begun = asyncio.Event()

    async def receive(self) -> Message:
        if self.requests:
            return self.requests.pop()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            self.has_begun.set()
        await asyncio.sleep(0)


async def serve_and_leave(app: ASGIApp, **options: Any) -> list[sa.StreamSummary]:
    client, closes = Leaving(), list[sa.StreamSummary]()
    middleware = StreamAdapterMiddleware(app, on_close=closes.append, **options)
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    serving = asyncio.ensure_future(_coroutine(middleware, scope, client.receive, client.send))
    await asyncio.wait_for(client.has_begun.wait(), BOUND)
    client.gone.set()
    await asyncio.wait_for(serving, BOUND)
    return closes


BIG = (b"content-length", b"1000000000000")


@pytest.mark.parametrize("is_silent", [False, True], ids=["sending", "silent"])
def test_application_of_a_response_with_a_length_is_ended_when_its_client_leaves(is_silent: bool) -> None:
    ended: list[str] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start(BIG))
        try:
            while True:
                await send(part(b"a" * 1000))
                if is_silent:
                    await asyncio.get_running_loop().create_future()
        except (asyncio.CancelledError, OSError) as error:
            ended.append(type(error).__name__)
            raise

    assert asyncio.run(serve_and_leave(app)) == []
    assert ended in (["CancelledError"], ["ClientDisconnected"])


def test_starlettes_stream_with_a_length_is_closed_when_its_client_leaves() -> None:
    responses = pytest.importorskip("starlette.responses")
    closed: list[bool] = []

    async def rows() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"row\n"
                await asyncio.sleep(0.01)
        finally:
            closed.append(True)

    response = responses.StreamingResponse(rows(), headers={"content-length": "1000000"})
    assert asyncio.run(serve_and_leave(response)) == []
    assert closed == [True]


async def stalled(limits: sa.Limits) -> BaseException | None:
    """Return what a server learns of a client that takes nothing: `send` does not return."""
    released = asyncio.Event()

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start(LENGTH))
        await send(part(b"ab"))
        await send(part(b"cd", more=False))

    async def receive() -> Message:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await released.wait()

    middleware = StreamAdapterMiddleware(app, limits=limits)
    scope: Scope = {"type": "http", "method": "GET", "path": "/"}
    serving = asyncio.ensure_future(_coroutine(middleware, scope, receive, send))
    await asyncio.wait([serving], timeout=0.3)
    released.set()
    return (await asyncio.gather(serving, return_exceptions=True))[0]


def test_stalled_client_of_a_response_with_a_length_is_dropped_after_an_explicit_send_timeout() -> None:
    assert isinstance(asyncio.run(stalled(sa.Limits(send_timeout=0.05))), sa.StreamTimeoutError)


@pytest.mark.parametrize("limits", [sa.Limits(), sa.Limits(idle_timeout=0.05), sa.Limits(total_timeout=0.05)])
def test_stalled_client_of_a_response_with_a_length_is_waited_for_otherwise(limits: sa.Limits) -> None:
    assert asyncio.run(stalled(limits)) is None


# HEAD


def test_body_of_a_head_is_refused_each_time_by_the_same_oserror() -> None:
    errors: list[OSError] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send(start(TEXT))
        for _step in range(3):
            try:
                await send(part(b"row\n"))
            except OSError as error:
                errors.append(error)

    sent = sent_by(StreamAdapterMiddleware(app), method="HEAD")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert len(errors) == 3
    assert {type(error) for error in errors} == {type(errors[0])}
    assert {str(error) for error in errors} == {str(errors[0])}
    assert "HEAD" in str(errors[0])
    assert errors[0].errno == errors[2].errno is not None


def test_only_trailers_pass_after_the_end_of_a_stream() -> None:
    trailers: Message = {"type": "http.response.trailers", "headers": []}
    errors: list[Exception] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in (start(TEXT), part(b"a"), END):
            await send(message)
        try:
            await send(part(b"late"))
        except RuntimeError as error:
            errors.append(error)
        await send(trailers)

    sent = sent_by(StreamAdapterMiddleware(app))
    assert sent[-1] is trailers
    assert str(errors[0]) == "http.response.body was sent after the response was complete"
    assert b"late" not in [message.get("body") for message in sent]


# With compress=True a 304 and a HEAD agree with the GET


def head_of(messages: list[Message]) -> dict[bytes, bytes]:
    return dict(messages[0]["headers"])


CSV = start((b"content-type", b"text/csv"), (b"etag", b'"a"'))
GZIP = (b"accept-encoding", b"gzip")


@pytest.mark.parametrize("messages", [[CSV, part(b"a"), END], [CSV, END]], ids=["in parts", "no body"])
def test_head_of_a_compressed_stream_has_the_fields_of_the_get(messages: list[Message]) -> None:
    app = StreamAdapterMiddleware(app_of(CSV, part(b"a"), END), compress=True)
    get = head_of(sent_by(app, headers=[GZIP]))
    head = head_of(sent_by(StreamAdapterMiddleware(app_of(*messages), compress=True), method="HEAD", headers=[GZIP]))
    assert get == head
    assert (get[b"etag"], get[b"vary"], get[b"content-encoding"]) == (b'W/"a"', b"Accept-Encoding", b"gzip")


@pytest.mark.parametrize(
    ("asked", "etag", "expected"),
    [
        (b'W/"a"', b'"a"', (b'W/"a"', b"Accept-Encoding")),
        (b'"b", W/"a"', b'"a"', (b'W/"a"', b"Accept-Encoding")),
        (b'"a"', b'"a"', (b'"a"', None)),
        (b'W/"a"', b'W/"a"', (b'W/"a"', None)),
        (b"*", b'"a"', (b'"a"', None)),
        (None, b'"a"', (b'"a"', None)),
    ],
)
def test_304_has_the_tag_that_the_client_asked_about(asked: bytes | None, etag: bytes, expected: Any) -> None:
    asking = [GZIP, *([] if asked is None else [(b"if-none-match", asked)])]
    app = StreamAdapterMiddleware(app_of(start((b"etag", etag), status=304), END), compress=True)
    fields = head_of(sent_by(app, headers=asking))
    assert (fields[b"etag"], fields.get(b"vary")) == expected
