"""Tests of streams, by clients of httpx2 and of httpx."""

import httpx
import httpx2

from stream_adapter.testing import (
    ASGIStreamTransport,
    LiveServer,
    WSGIStreamTransport,
    aassert_closes,
    assert_closes,
    assert_streams,
    async_stream_client,
    events,
    next_chunk,
    rows,
    stream_client,
)
from stream_adapter.types import ASGIApp, WSGIApp


def test_sync(app: WSGIApp) -> None:
    with stream_client(app) as client, client.stream("GET", "/") as response:
        assert next(events(response)).data == "a"
        assert next(rows(response)) == 1
        assert next_chunk(response) == b"a"
    with httpx2.Client(transport=WSGIStreamTransport(app)) as client:
        assert_streams(client, "/")
    with httpx.Client(transport=WSGIStreamTransport(app)) as older, older.stream("GET", "/") as streamed:
        assert next(events(streamed)).json() == 1
    assert_closes(app, "/")


async def test_async(app: ASGIApp) -> None:
    async with async_stream_client(app) as client, client.stream("GET", "/") as response:
        async for event in events(response):
            assert event.id
    async with httpx2.AsyncClient(transport=ASGIStreamTransport(app)) as client:
        await aassert_closes(client, "/")
    async with httpx.AsyncClient(transport=ASGIStreamTransport(app)) as older:
        await older.get("/")


def test_by_a_server(app: ASGIApp) -> None:
    with LiveServer(app) as server:
        assert httpx2.get(server.url).status_code == 200
