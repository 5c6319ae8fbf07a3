"""Through real servers: gunicorn's threads and uvicorn, with a database, sync middleware and ATOMIC_REQUESTS."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.django.support import ROWS
from tests.support.gate import BOUND
from tests.support.servers import Server

UNCOMPRESSED = {"Accept-Encoding": "identity"}
WHOLE = "".join(f"row {number}\n" for number in range(ROWS)).encode()
ways = pytest.mark.parametrize("way", ["sync", "async"])
views = pytest.mark.parametrize("view", ["sync-view", "async-view"])
tokens = (f"token-{number}" for number in itertools.count())


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=BOUND, headers=UNCOMPRESSED) as made:
        yield made


def texts_of_the_last(client: httpx2.Client) -> list[str]:
    return client.get(f"/sync-view/sync-rows/{next(tokens)}").text.splitlines()[ROWS:]


@asynccontextmanager
async def async_client(server: Server) -> AsyncGenerator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=server.url, timeout=BOUND, limits=limits, headers=UNCOMPRESSED) as made:
        yield made


@ways
@views
def test_each_row_is_received_before_the_source_is_asked_for_the_next(
    client: httpx2.Client, view: str, way: str
) -> None:
    token, received = next(tokens), b""
    with client.stream("GET", f"/{view}/{way}-paced/{token}") as response:
        assert response.headers["X-Rows"].split()[0] == response.headers["X-Rows"].split()[1]
        for block in response.iter_raw():
            received += block
            for _ in range(block.count(b"\n")):
                client.get(f"/received/{token}")
    assert received == b"row 0\nrow 1\nrow 2\nrow 3\n"


def test_several_streams_at_once_do_not_wait_for_each_other_and_leave_no_connection(server: Server) -> None:
    async def stream(client: httpx2.AsyncClient, all_began: asyncio.Barrier, path: str) -> bytes:
        token, received = next(tokens), b""
        async with client.stream("GET", f"/{path}/{token}") as response:
            blocks = response.aiter_raw()
            received += await anext(blocks)
            await all_began.wait()  # all have their first row, so none of them had to wait for another's end
            for _ in range(4):
                await client.get(f"/received/{token}")
            async for block in blocks:
                received += block
        return received

    async def run() -> tuple[list[bytes], Any]:
        paths = [f"{view}/{way}-paced" for view in ("sync-view", "async-view") for way in ("sync", "async")] * 2
        barrier = asyncio.Barrier(len(paths))
        async with async_client(server) as client:
            bodies = await asyncio.wait_for(asyncio.gather(*[stream(client, barrier, path) for path in paths]), BOUND)
            return bodies, (await client.get("/left-open")).json()

    bodies, connections = asyncio.run(run())
    assert bodies == [b"row 0\nrow 1\nrow 2\nrow 3\n"] * 8
    assert connections["opened"] >= 8
    assert (connections["waited"], connections["files"]) == (True, 0)


@ways
@views
def test_the_orm_iterates_within_a_source_and_leaves_no_connection(client: httpx2.Client, view: str, way: str) -> None:
    assert client.get(f"/{view}/{way}-rows/{next(tokens)}").content.startswith(WHOLE)
    events = client.get(f"/{view}/{way}-events/{next(tokens)}").content
    assert events.startswith(b"data: row 0\ndata: \n\ndata: row 1\n")
    connections = client.get("/left-open").json()
    assert (connections["waited"], connections["files"]) == (True, 0)


@ways
@views
def test_a_client_that_leaves_ends_the_source_and_its_connection(client: httpx2.Client, view: str, way: str) -> None:
    token = next(tokens)
    with client.stream("GET", f"/{view}/{way}-endless/{token}") as response:
        next(response.iter_raw())
    assert client.get(f"/ended/{token}").text == "disconnect"
    connections = client.get("/left-open").json()
    assert (connections["waited"], connections["files"]) == (True, 0)


@views
def test_a_silent_async_source_learns_that_its_client_has_gone(client: httpx2.Client, view: str) -> None:
    token = next(tokens)
    with client.stream("GET", f"/{view}/async-silent/{token}") as response:
        assert next(response.iter_raw()) == b"first"
    assert client.get(f"/ended/{token}").text == "disconnect"


@ways
@views
def test_a_failing_source_breaks_the_connection_without_its_text(client: httpx2.Client, view: str, way: str) -> None:
    token, received = next(tokens), b""
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        client.stream("GET", f"/{view}/{way}-broken/{token}") as response,
    ):
        for block in response.iter_raw():
            received += block
            client.get(f"/received/{token}")
    assert received == b"row 0"
    assert client.get(f"/ended/{token}").text == "error"


@ways
@views
def test_permission_denied_before_the_first_item_is_a_403(client: httpx2.Client, view: str, way: str) -> None:
    token = next(tokens)
    assert client.get(f"/{view}/{way}-forbidden/{token}").status_code == 403
    assert client.get(f"/ended/{token}").text == "error"


def test_a_view_that_fails_is_rolled_back_and_one_whose_source_fails_is_not(client: httpx2.Client) -> None:
    assert client.get("/fails").status_code == 403
    assert texts_of_the_last(client) == []
    assert client.get("/source-fails").status_code == 403
    assert texts_of_the_last(client) == ["of a view that does not"]


def test_the_transaction_of_the_view_has_ended_when_its_source_runs(client: httpx2.Client) -> None:
    assert client.get("/transactions").text == "True False True"
    assert client.get("/no-transaction").text == "False"


def test_the_orm_of_an_async_source_has_one_thread(client: httpx2.Client) -> None:
    assert client.get("/thread-of-async-view").text == "1"
