"""Streams that fail at each of their items, over real servers: what a client can see.

The connection breaks for all of them. What was received tells as well: an array is never closed, and NDJSON and JSON
sequences end with a record that says so. CSV has no such thing: there the broken connection is the only sign.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager

import httpx2
import pytest

from tests.formats.failing import ITEMS
from tests.formats.parsers import TruncatedError, json_seq_of
from tests.support.gate import BOUND
from tests.support.servers import Server, gunicorn, uvicorn

Serve = Callable[..., AbstractContextManager[Server]]

SERVERS: dict[str, tuple[Serve, list[str]]] = {"wsgi": (gunicorn, []), "asgi": (uvicorn, ["--lifespan", "off"])}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Generator[Server]:
    serve, options = SERVERS[request.param]
    with serve(f"tests.formats.failing:{request.param}", *options) as running:
        yield running


def received(server: Server, path: str, after: int) -> tuple[bytes, bool]:
    """Return the body as far as it came, and whether it was complete as far as HTTP can say."""
    body = b""
    with httpx2.stream("GET", f"{server.url}/{path}", params={"after": after}, timeout=BOUND) as response:
        assert response.status_code == 200
        try:
            for piece in response.iter_raw():
                body += piece
        except httpx2.RemoteProtocolError:
            return body, False
    return body, True


def paths(shortcut: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", [shortcut, f"{shortcut}-async"])


each_item = pytest.mark.parametrize("after", range(1, ITEMS))
ROWS = [{"row": number} for number in range(ITEMS)]


@each_item
@paths("ndjson")
def test_ndjson_ends_with_an_error_record_and_the_connection_breaks(server: Server, path: str, after: int) -> None:
    body, complete = received(server, path, after)
    assert not complete
    *rows, last = map(json.loads, body.splitlines())
    assert rows == ROWS[:after]
    assert last == {"error": {"type": "about:blank", "title": "Internal Server Error", "status": 500}}
    assert b"secret" not in body


@each_item
@paths("json_array")
def test_a_json_array_stays_open_and_the_connection_breaks(server: Server, path: str, after: int) -> None:
    body, complete = received(server, path, after)
    assert not complete
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    assert json.loads(body + b"]") == ROWS[:after]


@each_item
@paths("json_seq")
def test_a_json_sequence_ends_with_a_truncated_element_and_the_connection_breaks(
    server: Server, path: str, after: int
) -> None:
    body, complete = received(server, path, after)
    assert not complete
    values = json_seq_of([body])
    assert [next(values) for _ in range(after)] == ROWS[:after]
    with pytest.raises(TruncatedError, match="Internal Server Error"):
        next(values)


@each_item
@paths("csv")
def test_csv_failure_keeps_sent_rows_and_breaks_connection(server: Server, path: str, after: int) -> None:
    body, complete = received(server, path, after)
    assert not complete
    assert list(csv.DictReader(body.decode().splitlines())) == [{"row": str(row["row"])} for row in ROWS[:after]]


@pytest.mark.parametrize("shortcut", ["ndjson", "json_array", "json_seq", "csv"])
def test_a_stream_that_fails_at_its_first_item_is_an_error_response(server: Server, shortcut: str) -> None:
    assert httpx2.get(f"{server.url}/{shortcut}", params={"after": 0}, timeout=BOUND).status_code == 500


@pytest.mark.parametrize("way", ["", "-async"])
def test_a_stream_that_does_not_fail_is_complete(server: Server, way: str) -> None:
    bodies = {
        shortcut: received(server, f"{shortcut}{way}", ITEMS)
        for shortcut in ("ndjson", "json_array", "json_seq", "csv")
    }
    assert all(complete for _, complete in bodies.values())
    assert [json.loads(line) for line in bodies["ndjson"][0].splitlines()] == ROWS
    assert json.loads(bodies["json_array"][0]) == ROWS
    assert list(json_seq_of([bodies["json_seq"][0]])) == ROWS
    assert bodies["csv"][0] == b"row\r\n0\r\n1\r\n2\r\n3\r\n"
