"""Downloads that say their length, under the middleware and `to_asgi`, to clients that are slow or pause."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import servers
from tests.support.gate import BOUND
from tests.support.servers import Server

SIZE = 12_000_000  # more than a client's and a server's buffers together
SHORT = 0.5  # seconds: every default send_timeout in slow_app


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slow") / "film.bin"
    path.write_bytes(os.urandom(1000) * (SIZE // 1000))
    return path


@pytest.fixture(scope="module", params=["middleware", "to_asgi"])
def server(request: pytest.FixtureRequest, file: Path) -> Iterator[Server]:
    with servers.uvicorn(f"tests.adapters.slow_app:{request.param}", SLOW_FILE=str(file)) as running:
        yield running


def ask(server: Server) -> socket.socket:
    client = socket.socket()
    client.settimeout(BOUND)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262144)  # of less, loopback makes a trickle
    client.connect(("127.0.0.1", server.port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return client


def read(client: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (data := client.recv(min(65536, size - len(received)))):
        received += data
    return bytes(received)


def body_of(received: bytes) -> bytes:
    return received.partition(b"\r\n\r\n")[2]


def test_download_that_pauses_longer_than_send_timeout_is_complete(server: Server, file: Path) -> None:
    with ask(server) as client:
        received = read(client, 100_000)
        time.sleep(5 * SHORT)  # the pause itself is what is tested
        received += read(client, 2 * SIZE)
    assert body_of(received) == file.read_bytes()
    assert "send_timeout" not in server.log()


def test_download_read_slowly_and_steadily_is_complete(server: Server, file: Path) -> None:
    with ask(server) as client:
        received, until = b"", time.monotonic() + 5 * SHORT
        while time.monotonic() < until:
            received += read(client, 1024)
            time.sleep(0.02)
        received += read(client, 2 * SIZE)
    assert body_of(received) == file.read_bytes()
    assert "send_timeout" not in server.log()


def test_limits_that_name_a_send_timeout_hold_for_a_download(file: Path) -> None:
    with servers.uvicorn("tests.adapters.slow_app:named", SLOW_FILE=str(file)) as server, ask(server) as client:
        received = read(client, 1000)
        deadline = time.monotonic() + BOUND
        while "send_timeout" not in server.log():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        received += read(client, 2 * SIZE)
    assert len(body_of(received)) < SIZE
