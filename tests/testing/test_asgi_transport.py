"""What only ASGI has: an async client on the test's own loop, lifespan, the disconnect, bodies that go both ways."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from stream_adapter.testing import anext_chunk, async_stream_client, stream_client
from stream_adapter.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.gate import BOUND

Http = Callable[[Receive, Send], Awaitable[None]]
START: Message = {"type": "http.response.start", "status": 200}
END: Message = {"type": "http.response.body"}


def block(body: object) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


def answering(http: Http) -> ASGIApp:
    """Make an application that knows no lifespan."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("HTTP only")
        await http(receive, send)

    return app


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        result = await asyncio.wait_for(test(), BOUND)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left"
        return result

    return asyncio.run(bounded())


async def idle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_send_returns_once_the_client_has_taken_the_block() -> None:
    sent: list[int] = []

    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        for number in range(3):
            await send(block(b"x"))
            sent.append(number)
        await send(END)

    async def test() -> None:
        async with async_stream_client(answering(http)) as client, client.stream("GET", "/") as response:
            chunks = response.aiter_raw()
            for taken in range(3):
                await idle()
                assert sent == list(range(taken))
                assert await anext(chunks) == b"x"
            assert await anext(chunks, None) is None

    run(test)


def test_a_closed_response_is_a_disconnect_which_the_application_may_finish_on() -> None:
    seen: list[str] = []

    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        await send(block(b"first"))
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])
        await send(block(b"after the disconnect"))
        seen.append("finished")

    async def test() -> None:
        async with async_stream_client(answering(http)) as client:
            async with client.stream("GET", "/") as response:
                assert await anext_chunk(response) == b"first"
            assert seen == ["http.request", "http.disconnect", "finished"]

    run(test)


@pytest.mark.parametrize("failure", [ConnectionResetError("gone"), BrokenPipeError()])
def test_an_oserror_after_the_disconnect_is_how_an_application_says_so(failure: OSError) -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        await send(block(b"first"))
        raise failure

    async def test() -> None:
        async with async_stream_client(answering(http)) as client, client.stream("GET", "/"):
            await idle()

    run(test)


def test_another_error_after_the_disconnect_is_raised_where_the_response_is_closed() -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await send(block(b"first"))
        finally:
            raise LookupError("in the clean-up")

    async def test() -> None:
        async with async_stream_client(answering(http)) as client:
            with pytest.raises(LookupError, match="in the clean-up"):
                async with client.stream("GET", "/"):
                    await idle()

    run(test)


def test_an_application_that_ignores_the_disconnect_is_cancelled_and_named() -> None:
    cancelled: list[bool] = []

    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        try:
            while True:
                await send(block(b"x"))
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def test() -> None:
        async with async_stream_client(answering(http), close_timeout=0.05) as client:
            with pytest.raises(AssertionError, match=r"still running 0\.05 s after the client left[^$]*in http"):
                async with client.stream("GET", "/") as response:
                    await anext_chunk(response)
        assert cancelled == [True]

    run(test)


@pytest.mark.parametrize(
    ("messages", "error", "status"),
    [
        ([], "returned without starting a response", 500),
        ([START], "returned in the middle of its response", 200),
        ([END], "http.response.body was sent before the start", 500),
        ([START, block("text")], "expected a body of bytes, got str", 200),
        ([START, START], "http.response.start was sent a second time", 200),
        (
            [START, {"type": "http.response.pathsend"}],
            "expected http.response.start or .*, got 'http.response.pathsend'",
            200,
        ),
    ],
)
def test_protocol_error_of_an_application_raises_or_gives_a_status(
    messages: list[Message], error: str, status: int
) -> None:
    async def http(receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def test() -> None:
        async with async_stream_client(answering(http)) as client:
            with pytest.raises((RuntimeError, TypeError), match=error):
                await client.get("/")
        async with async_stream_client(answering(http), raise_app_exceptions=False) as client:
            if status == 500:
                assert (await client.get("/")).status_code == 500
                return
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.get("/")

    run(test)


def test_error_after_the_last_message_is_raised_in_the_test() -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        await send(END)
        raise LookupError("in a background task")

    async def test() -> None:
        async with async_stream_client(answering(http)) as client:
            with pytest.raises(LookupError, match="in a background task"):
                await client.get("/")

    run(test)


def test_trailers_without_an_offer_are_dropped() -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send({**START, "trailers": True})
        await send({"type": "http.response.body", "body": b"body"})
        await send({"type": "http.response.trailers", "headers": [(b"x", b"y")]})

    async def test() -> None:
        async with async_stream_client(answering(http)) as client:
            assert (await client.get("/")).text == "body"

    run(test)


def test_the_parts_of_a_requests_body_are_received_as_the_client_makes_them() -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        while (message := await receive())["more_body"]:
            await send(block(message["body"]))
        await send(END)

    async def test() -> list[bytes]:
        echoed = asyncio.Event()

        async def parts() -> AsyncIterator[bytes]:
            for part in (b"one", b"two"):
                yield part
                await echoed.wait()
                echoed.clear()

        received: list[bytes] = []
        client = async_stream_client(answering(http))
        async with client, client.stream("POST", "/", content=parts()) as response:
            async for chunk in response.aiter_raw():
                received.append(chunk)
                echoed.set()
        return received

    assert run(test) == [b"one", b"two"]


def test_an_error_in_the_making_of_a_request_is_the_clients() -> None:
    async def http(receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "http.request":
            pass

    async def test() -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            raise LookupError("no second part")

        async with async_stream_client(answering(http), raise_app_exceptions=False) as client:
            with pytest.raises(LookupError, match="no second part"):
                await client.post("/", content=parts())

    run(test)


def test_scope_has_method_path_query_and_headers_of_the_request() -> None:
    seen: Scope = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seen.update(scope)
            await send(START)
            await send({"type": "http.response.body", "body": (await receive())["body"]})

    async def test() -> None:
        async with async_stream_client(app, base_url="https://host.example") as client:
            response = await client.post("/p%C3%A4th?a=1", content=b"hello", headers={"X-Name": "value"})
            assert response.text == "hello"

    run(test)
    expected = {
        "method": "POST",
        "scheme": "https",
        "path": "/päth",
        "raw_path": b"/p%C3%A4th",
        "query_string": b"a=1",
        "server": ("host.example", 443),
        "http_version": "1.1",
    }
    assert {name: seen[name] for name in expected} == expected
    assert (b"x-name", b"value") in seen["headers"]


def test_a_lifespan_is_run_with_its_client_and_its_state_is_the_requests() -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{event}"
                events.append(event)
                scope["state"]["number"] = 7
                await send({"type": f"lifespan.{event}.complete"})
        else:
            await send(START)
            await send({"type": "http.response.body", "body": str(scope["state"]["number"]).encode()})

    async def test() -> str:
        async with async_stream_client(app) as client:
            return (await client.get("/")).text

    assert run(test) == "7"
    with stream_client(app) as client:
        assert client.get("/").text == "7"
    assert events == ["startup", "shutdown"] * 2


@pytest.mark.parametrize("failing", ["startup", "shutdown"])
def test_failing_lifespan_is_an_error_that_names_its_phase(failing: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for event in ("startup", "shutdown"):
            await receive()
            if event == failing:
                await send({"type": f"lifespan.{event}.failed", "message": "no database"})
                return
            await send({"type": f"lifespan.{event}.complete"})

    async def test() -> None:
        with pytest.raises(RuntimeError, match=f"the application's {failing} failed: no database"):
            async with async_stream_client(app):
                pass

    run(test)
    with pytest.raises(RuntimeError, match="no database"), stream_client(app):
        pass


def test_several_streams_of_one_client_run_at_once() -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        for number in itertools.count():
            await send(block(str(number).encode()))
            if number == 2:
                break
        await send(END)

    async def test() -> None:
        async with async_stream_client(answering(http)) as client:
            requests = [client.build_request("GET", "/") for _ in range(3)]
            streams = [(await client.send(request, stream=True)).aiter_raw() for request in requests]
            for number in range(3):
                assert [await anext(stream) for stream in streams] == [str(number).encode()] * 3
            for stream in streams:
                await stream.aclose()

    run(test)


def test_httpx2_reads_events_through_the_asgi_transport() -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"content-type", b"text/event-stream")]})
        await send(block(b"data: a\n\ndata: "))
        await send(block(b"b\n\n"))
        await send(END)

    async def test() -> list[str]:
        client = async_stream_client(answering(http))
        async with client, client.stream("GET", "/") as response:
            return [event.data async for event in httpx2.EventSource(response)]

    assert run(test) == ["a", "b"]


def test_a_silent_application_is_a_read_timeout_and_the_read_may_be_bounded_by_the_test_instead() -> None:
    async def http(receive: Receive, send: Send) -> None:
        await send(START)
        while (await receive())["type"] != "http.disconnect":
            pass

    async def test() -> None:
        async with async_stream_client(answering(http)) as client:
            with pytest.raises(httpx2.ReadTimeout):
                await client.get("/", timeout=0.02)
            with pytest.raises(TimeoutError):
                async with client.stream("GET", "/") as response, asyncio.timeout(0.02):
                    await response.aread()

    run(test)
