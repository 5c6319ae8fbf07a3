"""`assert_streams` and `assert_closes`, on applications that do and on some that do not, each for the right reason."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

import stream_adapter as sa
from stream_adapter.testing import (
    aassert_closes,
    aassert_streams,
    assert_closes,
    assert_streams,
    async_stream_client,
    stream_client,
)
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp
from tests.support.gate import BOUND, Gate
from tests.testing.apps import Make, either_protocol

EVENTS = [("content-type", "text/event-stream")]
PAUSE = 0.05  # seconds between two items of a source that waits


def ticks(count: int | None = None) -> Iterator[bytes]:
    """Wait between items, as live sources do."""
    pause = threading.Event()
    for number in itertools.count() if count is None else range(count):
        yield f"data: {number}\n\n".encode()
        pause.wait(PAUSE)


async def aticks() -> AsyncIterator[bytes]:
    for number in itertools.count():
        yield f"data: {number}\n\n".encode()
        await asyncio.sleep(PAUSE)


_test_is_over = threading.Event()


@pytest.fixture(autouse=True)
def _silence_ends() -> Iterator[None]:
    _test_is_over.clear()
    yield
    _test_is_over.set()


def be_silent() -> None:
    """Wait until the test is over: its thread must end."""
    _test_is_over.wait(BOUND)


class Fresh:
    """Blocks that are made again for each request."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[bytes]:
        return self._make()  # type: ignore[no-any-return]  # whatever a test makes


@either_protocol
@pytest.mark.parametrize("count", [None, 4], ids=["endless", "finite"])
def test_a_source_that_waits_is_proven_to_be_streamed(make: Make, count: int | None) -> None:
    assert_streams(make(Fresh(lambda: ticks(count)), headers=EVENTS), "/events")


@either_protocol
def test_a_source_that_never_waits_and_never_ends_is_proven_to_be_streamed(make: Make) -> None:
    assert_streams(make(Fresh(lambda: itertools.repeat(b"x"))), "/")


@either_protocol
def test_collected_body_fails_with_the_times_of_its_chunks(make: Make) -> None:
    with pytest.raises(AssertionError) as failure:
        assert_streams(make(Fresh(lambda: iter(list(ticks(4)))), headers=EVENTS), "/events")
    first, *transcript = str(failure.value).splitlines()
    assert first.startswith(
        "GET /events: expected the first chunk before the source continues, but everything arrived at once: "
    )
    assert "collected before it was sent" in first
    assert [line.split("  ")[-1] for line in transcript[1:-1]] == [f"9 bytes: b'data: {n}\\n\\n'" for n in range(4)]
    assert transcript[-1].endswith("the end")


@either_protocol
def test_gathered_endless_source_fails_with_the_position_of_the_source(make: Make) -> None:
    left = threading.Event()

    def gathered() -> Iterator[bytes]:
        return iter(list(itertools.takewhile(lambda _: not left.is_set(), ticks())))

    with pytest.raises(AssertionError) as failure:
        assert_streams(make(Fresh(gathered)), "/events", within=0.2)
    left.set()
    said = str(failure.value)
    assert said.startswith("GET /events: expected the first chunk within 0.2 s, but no status arrived\n")
    assert "It is here:\n" in said
    assert "gathered" in said


@either_protocol
def test_retry_and_comment_before_the_first_event_are_not_events(make: Make) -> None:
    def prelude_only() -> Iterator[bytes]:
        yield b"retry: 2000\n\n"
        yield b":\n\n"
        be_silent()

    with pytest.raises(AssertionError, match=r"expected the first chunk within 0\.4 s, but nothing came(.*\n)*.*retry"):
        assert_streams(make(Fresh(prelude_only), headers=EVENTS), "/", within=0.4)


@either_protocol
def test_error_status_fails_with_the_status(make: Make) -> None:
    with pytest.raises(AssertionError, match="GET /: expected a stream, but the status was 404 Not Found"):
        assert_streams(make([b"no such page"], status=404), "/")


@either_protocol
def test_error_answer_is_reported_though_its_page_streams(make: Make) -> None:
    with pytest.raises(AssertionError, match="GET /: expected a stream, but the status was 404 Not Found"):
        assert_streams(make(Fresh(ticks), status=404), "/")


@either_protocol
def test_an_empty_response_does_not_stream(make: Make) -> None:
    with pytest.raises(AssertionError, match="expected a chunk, but the response ended"):
        assert_streams(make([]), "/")


@either_protocol
def test_a_source_that_the_test_holds_is_an_exact_proof(make: Make) -> None:
    gate = Gate()

    def held() -> Iterator[bytes]:
        yield b"first"
        gate.wait()
        yield b"second"

    assert_streams(make(held()), "/", release=gate.open)


@either_protocol
def test_a_held_source_that_is_gathered_never_comes_to_be_released(make: Make) -> None:
    released = threading.Event()

    def gathered() -> Iterator[bytes]:
        first = b"first"
        released.wait(20 * PAUSE)
        yield first + b"second"

    with pytest.raises(AssertionError, match=r"expected the first chunk within 0\.1 s, but no status arrived"):
        assert_streams(make(gathered()), "/", release=released.set, within=0.1)
    assert not released.is_set()


@pytest.mark.parametrize("source", [ticks, aticks])
def test_the_streams_of_this_library_are_proven_to_stream_and_to_close(source: Callable[[], Any]) -> None:
    def wsgi(environ: Environ, start_response: StartResponse) -> Any:
        return sa.Response(source(), media_type="text/event-stream").wsgi(environ, start_response)

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await sa.Response(source(), media_type="text/event-stream").asgi(scope, receive, send)

    apps: list[WSGIApp | ASGIApp] = [wsgi, asgi]
    for app in apps:
        assert_streams(app, "/")
        assert_closes(app, "/")
        with stream_client(app) as client:
            assert_streams(client, "/")
            assert_closes(client, "/")

    async def test() -> None:
        await aassert_streams(asgi, "/")
        await aassert_closes(asgi, "/")
        async with async_stream_client(asgi) as client:
            await aassert_streams(client, "/")
            await aassert_closes(client, "/")

    asyncio.run(test())


async def starlette_sync(_: Request) -> StreamingResponse:
    return StreamingResponse(ticks())


async def starlette_async(_: Request) -> StreamingResponse:
    return StreamingResponse(aticks())


async def starlette_gathered(_: Request) -> StreamingResponse:
    return StreamingResponse(iter([chunk async for chunk in sa.aiter_bytes(ticks(4))]))


STARLETTE = Starlette(
    routes=[
        Route("/sync", starlette_sync),
        Route("/async", starlette_async),
        Route("/gathered", starlette_gathered),
    ]
)


def test_assertions_pass_on_streams_of_other_libraries() -> None:
    assert_streams(STARLETTE, "/async")
    assert_closes(STARLETTE, "/async")
    assert_streams(STARLETTE, "/sync")


def test_source_that_only_the_garbage_collector_would_close_is_reported() -> None:
    with pytest.raises(AssertionError) as failure:
        assert_closes(STARLETTE, "/sync")
    first, *left = str(failure.value).splitlines()
    assert first == "GET /sync: expected the source closed after the disconnect, but this is not closed:"
    assert any(line.startswith('  ticks is not closed. It is suspended here: File "') for line in left)


def test_async_assertions_fail_with_the_same_messages() -> None:
    async def test() -> None:
        with pytest.raises(AssertionError, match="everything arrived at once"):
            await aassert_streams(STARLETTE, "/gathered")
        with pytest.raises(AssertionError, match="ticks is not closed"):
            await aassert_closes(STARLETTE, "/sync")
        with pytest.raises(AssertionError, match="but no status arrived"):
            await aassert_streams(_silent, "/", within=0.05)

    asyncio.run(test())


async def _silent(scope: Scope, receive: Receive, send: Send) -> None:
    while scope["type"] == "http" and (await receive())["type"] != "http.disconnect":
        pass


@either_protocol
def test_silent_source_that_does_not_close_fails_with_its_location(make: Make) -> None:
    def silent() -> Iterator[bytes]:
        yield b"first"
        be_silent()

    with pytest.raises(AssertionError, match=r"still running 0\.4 s after the client left. It is here:"):
        assert_closes(make(silent()), "/", within=0.4)


@either_protocol
def test_assertion_of_closing_fails_on_a_finished_response(make: Make) -> None:
    with pytest.raises(AssertionError, match="but the response was over"):
        assert_closes(make([b"all there is"]), "/")
