"""The ASGI interface: which messages go out, in which order, and what the other scopes get."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.integration import ClientDisconnected
from stream_adapter.types import Message
from tests.support.gate import BOUND
from tests.support.interfaces import SOURCES, asgi_channel, call_asgi, either_way

HTTP: dict[str, Any] = {"type": "http", "method": "GET", "headers": []}


def messages_of(response: sa.Response) -> list[Message]:
    async def call() -> list[Message]:
        receive, send, sent = asgi_channel()
        await asyncio.wait_for(response.asgi(HTTP, receive, send), BOUND)
        return sent

    return asyncio.run(call())


@either_way
def test_a_stream_is_a_start_its_blocks_and_an_end(way: str) -> None:
    source = SOURCES[way]([b"a", b"b"])
    assert messages_of(sa.Response(source, media_type="text/csv", flush="item", headers={"X-Mixed": "1"})) == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"x-mixed", b"1"),
                (b"content-type", b"text/csv; charset=utf-8"),
                (b"cache-control", b"no-cache"),
                (b"x-content-type-options", b"nosniff"),
            ],
        },
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b", "more_body": True},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]


@pytest.mark.parametrize(("content", "body"), [(b"abc", b"abc"), (None, b"")])
def test_a_body_of_one_chunk_is_one_message(content: object, body: bytes) -> None:
    start, *rest = messages_of(sa.Response(content))
    assert start["type"] == "http.response.start"
    assert rest == [{"type": "http.response.body", "body": body, "more_body": False}]


@either_way
def test_empty_chunk_sends_no_message(way: str) -> None:
    bodies = [message["body"] for message in messages_of(sa.Response(SOURCES[way]([b"", b"a", b""]), flush="item"))[1:]]
    assert bodies == [b"a", b""]


def test_chunks_that_are_ready_together_travel_together() -> None:
    assert call_asgi(sa.Response([b"a", b"b", b"c"])).blocks == [b"abc"]


def test_a_block_ends_where_the_window_is_full() -> None:
    answer = call_asgi(sa.Response([b"xx"] * 5, limits=sa.Limits(high_water=4)))
    assert answer.blocks == [b"xxxx", b"xxxx", b"xx"]
    answer = call_asgi(sa.Response([b"xx"] * 5, limits=sa.Limits(max_items=2)))
    assert answer.blocks == [b"xxxx", b"xxxx", b"xx"]


def test_response_as_an_asgi_application_completes_the_lifespan() -> None:
    async def call() -> list[Message]:
        events: list[Message] = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]
        sent: list[Message] = []

        async def receive() -> Message:
            return events.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        await asyncio.wait_for(sa.Response(b"")({"type": "lifespan"}, receive, send), BOUND)
        return sent

    assert asyncio.run(call()) == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


def test_response_as_an_asgi_application_closes_a_websocket() -> None:
    async def call() -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await sa.Response(b"").asgi({"type": "websocket"}, receive, send)
        return sent

    assert asyncio.run(call()) == [{"type": "websocket.close", "code": 1000}]


def test_an_unknown_scope_is_an_error() -> None:
    with pytest.raises(ValueError, match="scope: expected type http, lifespan or websocket, got 'smtp'"):
        asyncio.run(sa.Response(b"").asgi({"type": "smtp"}, *asgi_channel()[:2]))


def test_the_rest_of_the_requests_body_is_drained_before_a_disconnect_is_looked_for() -> None:
    async def call() -> tuple[list[Message], int]:
        _, send, sent = asgi_channel()
        parts = [{"type": "http.request", "body": b"x", "more_body": more} for more in (False, True, True)]

        async def receive() -> Message:
            if parts:
                return parts.pop()
            drained.set()
            await asyncio.get_running_loop().create_future()
            raise AssertionError("unreachable")

        async def waits() -> Any:
            yield b"a"
            await drained.wait()
            yield b"b"

        drained = asyncio.Event()
        await asyncio.wait_for(sa.Response(waits()).asgi(HTTP, receive, send), BOUND)
        return sent, len(parts)

    sent, left = asyncio.run(call())
    assert (left, sent[-1]["more_body"]) == (0, False)


@either_way
def test_an_oserror_from_send_is_a_disconnect_and_no_error_of_the_app(way: str) -> None:
    source = SOURCES[way](itertools.repeat(b"x"))
    reasons: list[str] = []

    async def call() -> None:
        receive, _, _ = asgi_channel()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                raise BrokenPipeError

        response = sa.Response(source, on_close=lambda summary: reasons.append(summary.reason))
        await asyncio.wait_for(response.asgi(HTTP, receive, send), BOUND)

    asyncio.run(call())
    assert (reasons, source.closes) == (["disconnect"], 1)


@either_way
def test_a_source_that_never_waits_lets_other_tasks_and_the_disconnect_in(way: str) -> None:
    source = SOURCES[way](itertools.repeat(b"x"))

    async def call() -> int:
        gone = asyncio.Event()
        ticks = 0

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            """Never wait, as a server does not whose client has gone."""

        async def other_request() -> None:
            nonlocal ticks
            for _ in range(100):
                ticks += 1
                await asyncio.sleep(0)
            gone.set()

        other = asyncio.create_task(other_request())
        await asyncio.wait_for(sa.Response(source).asgi(HTTP, receive, send), BOUND)
        await other
        return ticks

    assert asyncio.run(call()) == 100
    assert source.closes == 1


@either_way
def test_a_cancellation_of_the_request_closes_the_source_and_passes_on(way: str) -> None:
    source = SOURCES[way](itertools.repeat(b"x"))

    async def call() -> None:
        receive, _, _ = asgi_channel()
        sending = asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                sending.set()
                await asyncio.get_running_loop().create_future()

        request = asyncio.create_task(sa.Response(source).asgi(HTTP, receive, send))
        await sending.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(request, BOUND)

    asyncio.run(call())
    assert source.closes == 1


def test_a_disconnect_is_an_oserror_that_servers_know() -> None:
    assert isinstance(ClientDisconnected(), ConnectionResetError)
