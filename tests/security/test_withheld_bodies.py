"""Clients that announce a body and withhold it do not keep the threads of a server that runs `to_wsgi`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial

import pytest

from tests.security.apps.bodies import PATIENCE
from tests.support.servers import Server, gunicorn, werkzeug

APP = "tests.security.apps.bodies:app"
SERVERS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "gunicorn gthread": partial(gunicorn, APP, threads=2),
    "Werkzeug": partial(werkzeug, APP),
}
WITHHELD = {
    "a length": b"Content-Length: 10\r\n\r\nabc",
    "no byte": b"Content-Length: 10\r\n\r\n",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "a part of a chunk": b"Transfer-Encoding: chunked\r\n\r\n30\r\nabc",
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=() if name == "gunicorn gthread" else pytest.mark.security, id=name)
        for name in SERVERS
    ],
)
def server(request: pytest.FixtureRequest) -> Generator[Server]:
    with SERVERS[request.param]() as running:
        yield running
        assert "Traceback" not in running.log(), running.log()


def read_to_the_end(client: socket.socket) -> bytes:
    received = b""
    while block := client.recv(65536):
        received += block
    return received


def test_withheld_bodies_are_refused_and_other_requests_answered(server: Server) -> None:
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(server.connect(b"POST / HTTP/1.1\r\nHost: a\r\n" + rest))
            for name, rest in WITHHELD.items()
        }
        other = stack.enter_context(server.connect(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
        assert b" 200 " in read_to_the_end(other).partition(b"\r\n")[0]
        answers = {name: read_to_the_end(client).partition(b"\r\n")[0] for name, client in clients.items()}
    assert {name for name, line in answers.items() if b" 408 " not in line} == set(), answers


def test_body_that_trickles_is_read_to_its_end(server: Server) -> None:
    steps = 12
    head = f"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {steps}\r\n\r\n"
    with server.connect(head.encode()) as client:
        for _ in range(steps):
            time.sleep(PATIENCE / 8)  # so the whole takes longer than the patience, and no pause does
            client.sendall(b"a")
        answer = read_to_the_end(client)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"12")


def test_rest_of_a_withheld_body_is_not_taken_for_the_next_request(server: Server) -> None:
    with server.connect(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"a" * 10) as client:
        first = client.recv(65536)
        rest = b""
        with suppress(OSError):  # the connection is closed already
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            rest = read_to_the_end(client)
    assert first.startswith(b"HTTP/1.1 408 ")
    assert b"HTTP/1.1" not in rest
