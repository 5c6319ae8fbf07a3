"""Chunks, events and rows, each within a time, in process and over a real connection; failures that read well."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx2
import pytest

from stream_adapter.testing import (
    LiveServer,
    anext_chunk,
    async_stream_client,
    events,
    next_chunk,
    rows,
    stream_client,
)
from stream_adapter.types import WSGIApp
from tests.support.gate import BOUND, Gate
from tests.testing.apps import asgi_app, wsgi_app

Open = Callable[[Any], AbstractContextManager[httpx2.Client]]
EVENTS = [("content-type", "text/event-stream")]
NDJSON = [("content-type", "application/x-ndjson")]


@contextmanager
def over_a_socket(app: Any) -> Generator[httpx2.Client]:
    with LiveServer(app) as server, httpx2.Client(base_url=server.url, timeout=BOUND) as client:
        yield client


OVER: dict[str, Open] = {"in process": lambda app: stream_client(app, close_timeout=None), "socket": over_a_socket}
either_client = pytest.mark.parametrize("open_client", OVER.values(), ids=OVER)


def answering(blocks: list[Any], headers: list[tuple[str, str]]) -> tuple[WSGIApp, Gate]:
    """Make an application whose source waits wherever a block is None; return it, and what lets the source go on."""
    gate = Gate()

    def source() -> Iterator[bytes]:
        for block in blocks:
            if block is None:
                gate.wait()
            else:
                yield block

    return wsgi_app(source(), headers=headers), gate


@either_client
def test_chunks_are_read_one_by_one_and_the_response_may_still_be_read_as_it_pleases(open_client: Open) -> None:
    app, gate = answering([b"one", None, b"two", None, b"three"], [])
    with open_client(app) as client, client.stream("GET", "/") as response:
        assert next_chunk(response) == b"one"
        gate.open()
        assert next_chunk(response) == b"two"
        gate.open()
        assert next_chunk(response) == b"three"
        with pytest.raises(AssertionError, match="GET /: expected a chunk, but the response ended"):
            next_chunk(response)


@either_client
def test_missing_chunk_fails_with_the_transcript_of_the_response(open_client: Open) -> None:
    app, gate = answering([b"x" * 100, None], [("content-type", "text/plain")])
    with open_client(app) as client, client.stream("GET", "/slow?a=1") as response:
        next_chunk(response)
        with pytest.raises(AssertionError) as failure:
            next_chunk(response, within=0.05)
        gate.open()
    lines = str(failure.value).splitlines()
    assert lines[0] == "GET /slow?a=1: expected a chunk within 0.05 s, but nothing more came"
    assert lines[1].startswith("   0.000 s  200 ")
    assert lines[1].endswith(", text/plain")
    assert lines[2].endswith(f" s  100 bytes: b'{'x' * 72}'…")
    assert lines[-1].endswith(" s  now")


def test_long_transcript_shows_its_start_and_its_end() -> None:
    app, gate = answering([*([b"chunk"] * 20), None], [])
    with stream_client(app, close_timeout=None) as client, client.stream("GET", "/") as response:
        for _ in range(20):
            next_chunk(response)
        with pytest.raises(AssertionError) as failure:
            next_chunk(response, within=0.01)
        gate.open()
    assert "… 12 more …" in str(failure.value)
    assert str(failure.value).count("chunk'") == 8


@either_client
def test_events_come_one_by_one_without_comments_and_times_to_retry(open_client: Open) -> None:
    blocks = [b"retry: 2000\n\n", b":\n\n", b"id: 0\nda", b"ta: zero\n\n", None, b"event: done\ndata\n\n"]
    app, gate = answering(blocks, EVENTS)
    with open_client(app) as client, client.stream("GET", "/") as response:
        event = next(events(response))
        assert (event.id, event.data) == ("0", "zero")
        gate.open()
        assert [event.event for event in events(response)] == ["done"]


def test_comments_do_not_count_as_the_event_that_is_waited_for() -> None:
    app = wsgi_app(iter(lambda: b":\n\n", b""), headers=EVENTS)
    # on a busy machine no chunk may come for so long
    said = r"expected an event within 0\.05 s, but (none was among the chunks|nothing more came)"
    with stream_client(app) as client, client.stream("GET", "/") as response, pytest.raises(AssertionError, match=said):
        next(events(response, within=0.05))


def test_events_helper_reads_a_compressed_stream() -> None:
    app = wsgi_app([gzip.compress(b"data: a\n\n")], headers=[*EVENTS, ("content-encoding", "gzip")])
    with stream_client(app) as client, client.stream("GET", "/") as response:
        assert [event.data for event in events(response)] == ["a"]


@either_client
@pytest.mark.parametrize(
    ("kind", "blocks"),
    [
        ("application/x-ndjson; charset=utf-8", [b'{"a":', b"1}\n", None, b'"text"\nnull\n']),
        ("application/json-seq", [b'\x1e{"a":1}\n', None, b'\x1e"text"\n\x1enull\n']),
    ],
)
def test_rows_helper_parses_ndjson_and_json_seq(open_client: Open, kind: str, blocks: list[Any]) -> None:
    app, gate = answering(blocks, [("content-type", kind)])
    with open_client(app) as client, client.stream("GET", "/") as response:
        assert next(rows(response)) == {"a": 1}
        gate.open()
        assert list(rows(response)) == ["text", None]


@pytest.mark.parametrize(("helper", "wanted"), [(events, "an event stream"), (rows, "rows of JSON")])
def test_another_content_type_fails_by_name(helper: Callable[..., Any], wanted: str) -> None:
    app = wsgi_app([b"<p>"], headers=[("content-type", "text/html")])
    said = rf"expected {wanted} \(.*\), but the content type is text/html"
    with stream_client(app) as client, client.stream("GET", "/") as response, pytest.raises(AssertionError, match=said):
        helper(response)


def test_async_helpers_read_chunks_rows_and_events() -> None:
    async def test() -> None:
        app = asgi_app([b"one", b"two"])
        async with async_stream_client(app) as client, client.stream("GET", "/") as response:
            assert await anext_chunk(response) == b"one"
            assert await anext_chunk(response) == b"two"
            with pytest.raises(AssertionError, match="the response ended"):
                await anext_chunk(response)
        app = asgi_app([b"data: a\n\n", b"data: b\n\n"], headers=EVENTS)
        async with async_stream_client(app) as client, client.stream("GET", "/") as response:
            assert (await anext(events(response))).data == "a"
            assert [event.data async for event in events(response)] == ["b"]
        app = asgi_app([b"1\n", b"2\n"], headers=NDJSON)
        async with async_stream_client(app) as client, client.stream("GET", "/") as response:
            assert [row async for row in rows(response)] == [1, 2]

    asyncio.run(test())


def test_async_helpers_fail_with_the_transcript() -> None:
    gate = Gate()

    def source() -> Iterator[bytes]:
        yield b"one"
        gate.wait()

    async def test() -> None:
        client = async_stream_client(asgi_app(source()), close_timeout=None)
        async with client, client.stream("GET", "/") as response:
            await anext_chunk(response)
            with pytest.raises(AssertionError, match=r"a chunk within 0\.02 s, but nothing more came(.*\n)*.*b'one'"):
                await anext_chunk(response, within=0.02)
            gate.open()

    asyncio.run(test())
