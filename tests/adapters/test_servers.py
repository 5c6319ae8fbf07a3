"""Applications of others, carried over and served by real servers to clients that behave badly."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support import servers
from tests.support.gate import BOUND
from tests.support.servers import Server

MIB = 1024 * 1024
STARLETTE = "tests.adapters.served:starlette_app"
HOSTS: dict[str, Callable[[], contextlib.AbstractContextManager[Server]]] = {
    "Flask on uvicorn": partial(servers.uvicorn, "tests.adapters.served:flask_app"),
    "Starlette on gunicorn": partial(servers.gunicorn, STARLETTE, "--preload"),
}


@pytest.fixture(scope="module", params=HOSTS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with HOSTS[request.param]() as running:
        yield running


class Client:
    """One request over a socket of its own."""

    def __init__(self, server: Server, target: str, *headers: str, method: str = "GET") -> None:
        self.received = b""
        self.socket = socket.create_connection(("127.0.0.1", server.port), BOUND)
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def read_until(self, text: bytes) -> Client:
        while text not in self.received:
            data = self.socket.recv(65536)
            assert data, self.received
            self.received += data
        return self

    def read_to_the_end(self) -> int:
        """Return how many bytes more have come until the connection was closed; keep the first thousand."""
        size = 0
        with self.socket, contextlib.suppress(ConnectionError):
            while data := self.socket.recv(1 << 20):
                size += len(data)
                self.received += data[: max(1000 - len(self.received), 0)]
        return size

    def leave(self) -> None:
        """Leave by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def ask(server: Server, target: str) -> dict[str, int]:
    client = Client(server, target, "Connection: close")
    client.read_to_the_end()
    body = client.received.rpartition(b"\r\n\r\n")[2]
    answer: dict[str, int] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    return answer


def wait_closed(server: Server, count: int) -> None:
    deadline = time.monotonic() + BOUND
    while (closed := ask(server, "/closed")["closes"]) != count:
        assert time.monotonic() < deadline, f"{closed} of {count} streams were closed"
        time.sleep(0.02)


UNREAD = ["Content-Length: 10000000"]


@pytest.mark.parametrize("unread", [[], UNREAD], ids=["no body", "unread body"])
def test_fifty_streams_that_are_abandoned_are_closed_and_leave_the_server_in_order(
    server: Server, unread: list[str]
) -> None:
    """Ten times as many as a2wsgi has threads, and one more than stops asgiref."""
    before = ask(server, "/closed")["closes"]
    for _ in range(10):
        clients = [Client(server, "/ticking", *unread, method="POST" if unread else "GET") for _ in range(5)]
        for client in clients:
            if unread:
                client.socket.sendall(bytes(100_000))
            client.read_until(b"tick")
        for client in clients:
            client.leave()
    wait_closed(server, before + 50)


def test_stalled_client_does_not_delay_other_clients(server: Server) -> None:
    stalled = Client(server, f"/large?size={256 * MIB}").read_until(b"\r\n\r\n")
    before = ask(server, "/closed")["closes"]
    client = Client(server, "/ticking").read_until(b"tick")
    client.leave()
    wait_closed(server, before + 1)
    stalled.leave()


def test_an_error_before_the_first_chunk_is_a_500(server: Server) -> None:
    client = Client(server, "/refusing", "Connection: close")
    client.read_to_the_end()
    assert b" 500 " in client.received
    assert b"secret" not in client.received


def test_error_after_the_first_chunk_breaks_the_connection(server: Server) -> None:
    client = Client(server, "/failing", "Connection: close").read_until(b"first")
    assert b" 200 " in client.received
    client.read_to_the_end()
    assert not client.received.endswith(b"0\r\n\r\n")
    assert b"secret" not in client.received


def test_a_body_that_is_large_either_way_takes_no_memory(server: Server) -> None:
    size = 1024 * MIB
    ask(server, "/closed")
    before = server.peak_memory()
    upload = Client(server, "/upload", f"Content-Length: {size}", "Connection: close", method="POST")
    block = memoryview(bytes(MIB))
    for _ in range(size // MIB):
        upload.socket.sendall(block)
    upload.read_to_the_end()
    assert str(size).encode() in upload.received
    assert Client(server, f"/large?size={size}", "Connection: close").read_to_the_end() > size
    assert server.peak_memory() - before < 16 * MIB


def test_a_body_that_waits_to_be_asked_for_is_asked_for(server: Server) -> None:
    client = Client(server, "/upload", "Content-Length: 4", "Expect: 100-continue", "Connection: close", method="POST")
    client.read_until(b"100 Continue\r\n\r\n")
    client.socket.sendall(b"body")
    client.read_until(b'"size":4').leave()


def test_a_chunked_body_is_read_to_its_end(server: Server) -> None:
    client = Client(server, "/upload", "Transfer-Encoding: chunked", "Connection: close", method="POST")
    for _ in range(3):
        client.socket.sendall(b"4\r\nbody\r\n")
    client.socket.sendall(b"0\r\n\r\n")
    client.read_until(b'"size":12').leave()


NO_THREADS_AT_EXIT = pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 3), reason="Python 3.12.0 to 3.12.2 start no thread at exit (gh-113964)"
)


@pytest.mark.parametrize("place", ["loop", pytest.param("thread", marks=NO_THREADS_AT_EXIT)])
def test_preloaded_gunicorn_runs_the_lifespan_in_its_worker(tmp_path: Path, place: str) -> None:
    file = tmp_path / "shut_down"
    with servers.gunicorn(STARLETTE, "--preload", SHUT_DOWN_FILE=str(file), SHUT_DOWN_IN=place) as server:
        state = ask(server, "/state")
        assert state["started_in"] == state["process"] != server.process.pid
        assert not file.exists()
    assert file.read_text() == str(state["process"])


def test_clients_that_withhold_their_bodies_do_not_keep_the_threads_of_to_asgi() -> None:
    with servers.uvicorn("tests.adapters.served:impatient_app", MAX_THREADS="4") as server:
        clients = [
            Client(server, "/upload", "Content-Length: 10", "Connection: close", method="POST") for _ in range(4)
        ]
        for client in clients:
            client.socket.sendall(b"abc")
        for client in clients:
            client.read_until(b"\r\n\r\n")
            assert b" 408 " in client.received
            client.leave()
        assert ask(server, "/closed")["closes"] == 0
        assert "Traceback" not in server.log()


def test_a_length_beside_chunks_is_not_believed() -> None:
    """h11 passes both on; httptools and granian refuse such a request."""
    with servers.uvicorn("tests.adapters.served:flask_app", "--http", "h11") as server:
        headers = ["Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"]
        client = Client(server, "/upload", *headers, method="POST")
        client.socket.sendall(b"c\r\nhello, world\r\n0\r\n\r\n")
        client.read_until(b'"size":12').leave()
