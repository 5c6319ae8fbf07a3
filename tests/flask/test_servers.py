"""Through gunicorn, with its threads, on a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.support.gate import BOUND
from tests.support.servers import Server, gunicorn

PATHS = ["sync", "async", "function", "adapted"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with gunicorn("tests.flask.served:app", threads=24) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=BOUND) as client:
        yield client


def journal(client: httpx2.Client, name: str) -> list[str]:
    entries: list[str] = client.get("/journal", params={"name": name}).json()
    return entries


@pytest.mark.parametrize("path", PATHS)
def test_each_chunk_is_received_before_the_next_is_made(client: httpx2.Client, path: str) -> None:
    lines: list[str] = []
    with client.stream("GET", f"/stream/{path}", params={"name": path}) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        for line in response.iter_lines():
            lines.append(line)
            client.post("/open", params={"name": path})
    assert lines == [f"{path} {number}" for number in range(3)]
    assert journal(client, path) == ["closed", "teardown of NoneType"]


def test_many_streams_at_once_each_have_their_own_request(client: httpx2.Client) -> None:
    names = [f"{path}-{number}" for path in PATHS for number in range(4)]
    streams = {name: client.stream("GET", f"/stream/{name.split('-')[0]}", params={"name": name}) for name in names}
    responses = {name: stream.__enter__() for name, stream in streams.items()}
    lines = {name: response.iter_lines() for name, response in responses.items()}
    for number in range(3):
        for name in names:
            assert next(lines[name]) == f"{name} {number}"
            client.post("/open", params={"name": name})
    for name in names:
        assert list(lines[name]) == []
        streams[name].__exit__(None, None, None)
        assert journal(client, name) == ["closed", "teardown of NoneType"]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_when_the_client_leaves_the_source_is_closed_and_then_the_request_torn_down(
    client: httpx2.Client, way: str
) -> None:
    name = f"leaver {way}"
    with client.stream("GET", f"/stream/endless/{way}", params={"name": name}) as response:
        assert next(response.iter_raw())[:1] == b"x"
    entries = journal(client, name)
    assert entries[0] == "closed"
    assert len(entries) == 2


def test_an_abort_before_the_first_item_is_a_403(client: httpx2.Client) -> None:
    assert client.get("/stream/refused", params={"name": "refused"}).status_code == 403
    assert journal(client, "refused") == ["teardown of NoneType"]


def test_an_error_after_two_items_breaks_the_connection_after_both_and_without_its_text(client: httpx2.Client) -> None:
    received = b""
    with (
        client.stream("GET", "/stream/broken", params={"name": "broken"}) as response,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        for block in response.iter_raw():
            received += block
    assert received == b"ab"
    assert journal(client, "broken") == ["teardown of LookupError"]


def test_head_and_a_document_have_lengths_and_keep_the_connection(client: httpx2.Client) -> None:
    got = client.get("/stream/document")
    head = client.head("/stream/document")
    assert got.headers["Content-Length"] == head.headers["Content-Length"] == str(len(got.content))
    assert client.head("/stream/sync", params={"name": "head"}).content == b""
    assert journal(client, "head") == ["teardown of NoneType"]  # never started: nothing to note
