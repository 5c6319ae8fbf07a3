"""Through uvicorn, on a real socket: chunks arrive as they are made, and every end is a clean or a visible one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.servers import Server, uvicorn

PREFIXES = ["", "/base"]  # alone, and behind BaseHTTPMiddleware, twice
WAYS = ["streaming", "astreaming", "route", "returned", "stream"]

everywhere = pytest.mark.parametrize("prefix", PREFIXES, ids=["alone", "behind BaseHTTPMiddleware"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with uvicorn("tests.fastapi.served:app") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=20) as client:
        yield client


_numbers = itertools.count()


@pytest.fixture
def key() -> str:
    """Name one request in the server."""
    return f"key-{next(_numbers)}"


@everywhere
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["gated", "agated"])
def test_a_chunk_arrives_before_the_next_is_asked_for(
    client: httpx2.Client, key: str, prefix: str, way: str, kind: str
) -> None:
    received = list[str]()

    with client.stream("GET", f"{prefix}/{way}/{kind}", params={"key": key}) as answer:
        for line in answer.iter_lines():
            received.append(line)
            client.post(f"/open/{key}")

    assert (answer.status_code, received) == (200, ["0", "1", "2"])


def test_events_arrive_one_by_one_through_gzip_and_cors(client: httpx2.Client, key: str) -> None:
    received, headers = list[str](), {"Origin": "https://example.org"}

    with client.stream("GET", "/cors-gzip/stream/events", params={"key": key}, headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: ") and line != "data: ":
                received.append(line)
                client.post(f"/open/{key}")

    assert received == ["data: 0", "data: 1", "data: 2"]
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["access-control-allow-origin"] == "*"


@everywhere
@pytest.mark.parametrize("way", ["streaming", "returned", "stream"])
@pytest.mark.parametrize("kind", ["endless", "aendless", "asilent"])
def test_a_client_that_leaves_has_the_source_closed_once_and_within_the_request(
    client: httpx2.Client, key: str, prefix: str, way: str, kind: str
) -> None:
    with client.stream("GET", f"{prefix}/{way}/{kind}", params={"key": key}) as answer:
        assert next(answer.iter_bytes())

    journal = client.get(f"/journal/{key}").json()

    assert [line for line in journal if line != "background task"] == ["source closed", "dependency closed"]


@everywhere
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["failing", "afailing"])
def test_an_error_after_two_chunks_breaks_the_connection_without_its_text(
    client: httpx2.Client, key: str, prefix: str, way: str, kind: str
) -> None:
    body = b""

    with (
        client.stream("GET", f"{prefix}/{way}/{kind}", params={"key": key}) as answer,
        pytest.raises(httpx2.RemoteProtocolError, match="incomplete"),
    ):
        for block in answer.iter_raw():
            body += block

    assert (answer.status_code, body) == (200, b"one\ntwo\n")
    assert client.get(f"/journal/{key}").json() == ["source closed", "dependency closed"]


def test_an_error_after_commit_is_logged(client: httpx2.Client, server: Server, key: str) -> None:
    with (
        client.stream("GET", "/streaming/failing", params={"key": key}) as answer,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        answer.read()
    client.get(f"/journal/{key}")

    assert f"secret of {key}" in server.log()


@everywhere
@pytest.mark.parametrize("way", WAYS)
def test_an_error_before_the_first_item_is_a_500(client: httpx2.Client, key: str, prefix: str, way: str) -> None:
    answer = client.get(f"{prefix}/{way}/failing_early", params={"key": key})

    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


@everywhere
@pytest.mark.parametrize("way", WAYS)
def test_an_http_exception_before_the_first_item_is_its_handlers(
    client: httpx2.Client, key: str, prefix: str, way: str
) -> None:
    answer = client.get(f"{prefix}/{way}/arefusing", params={"key": key})

    assert (answer.status_code, answer.text) == (403, f"handled {key}")


def test_background_tasks_run_after_the_stream_and_before_dependencies_close(client: httpx2.Client, key: str) -> None:
    for _ in range(3):
        client.post(f"/open/{key}")
    client.get("/stream/agated", params={"key": key})

    assert client.get(f"/journal/{key}").json() == ["background task", "dependency closed"]


def test_background_tasks_run_after_a_client_has_left(client: httpx2.Client, key: str) -> None:
    with client.stream("GET", "/stream/asilent", params={"key": key}) as answer:
        assert next(answer.iter_bytes())

    assert client.get(f"/journal/{key}").json() == ["source closed", "background task", "dependency closed"]


def test_the_last_event_id_is_read_as_utf_8(client: httpx2.Client) -> None:
    headers = {b"Last-Event-ID": "été".encode()}

    assert client.get("/last-event-id", params={"key": "any"}, headers=headers).json() == "été"
