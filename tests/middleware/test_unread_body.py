"""A client that leaves, having sent a part of its body that nothing reads, through real servers."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.support import servers
from tests.support.gate import BOUND
from tests.support.servers import Server

APP = "tests.middleware.unread_app:app"
SERVERS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "uvicorn h11": partial(servers.uvicorn, APP, "--http", "h11"),
    "uvicorn httptools": partial(servers.uvicorn, APP, "--http", "httptools"),
    "hypercorn": partial(servers.hypercorn, APP),
    "granian": partial(servers.granian, APP),
}
HEAVY = {"hypercorn", "granian"}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.servers] * (name in HEAVY)) for name in SERVERS]
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "uvicorn httptools":
        pytest.importorskip("httptools")
    with SERVERS[request.param]() as running:
        yield running


def post(server: Server, target: str, length: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), BOUND)
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def read_until(connection: socket.socket, pattern: bytes) -> re.Match[bytes]:
    received = b""
    while not (match := re.search(pattern, received)):
        data = connection.recv(65536)
        assert data, received
        received += data
    return match


def closed(server: Server) -> int:
    with socket.create_connection(("127.0.0.1", server.port), BOUND) as connection:
        connection.sendall(b"GET /closed HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return int(read_until(connection, rb"closed=(\d+);")[1])


@pytest.mark.parametrize("kind", ["raw", "starlette"])
@pytest.mark.parametrize("pause", ["0.02", "3600"], ids=["sending", "silent"])
@pytest.mark.parametrize("sent", [200_000, 1000], ids=["more than is read ahead", "less"])
def test_source_is_closed_when_a_client_with_an_unread_body_leaves(
    server: Server, kind: str, pause: str, sent: int
) -> None:
    before = closed(server)
    with post(server, f"/{kind}/{pause}", 400_000) as connection:
        connection.sendall(bytes(sent))
        read_until(connection, b"tick")
    deadline = time.monotonic() + BOUND
    while closed(server) == before:
        assert time.monotonic() < deadline, "the source is still open"
        time.sleep(0.02)


@pytest.mark.parametrize("pause", ["0", "0.5"], ids=["at once", "later"])
def test_application_gets_its_whole_body_after_its_response_has_begun(server: Server, pause: str) -> None:
    size = 4_000_000
    with post(server, f"/size/{pause}", size) as connection:
        read_until(connection, b"begun")
        connection.sendall(bytes(size))
        assert int(read_until(connection, rb"size (\d+)\n")[1]) == size
