"""Clients that announce a body and withhold it do not keep the threads of a server behind the WSGI middleware."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import product

import pytest

from tests.support.servers import Server, cheroot, gunicorn, waitress, werkzeug

APP = "tests.security.apps.bodies_behind_middleware:app"
THREADS = 4
SERVERS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "gunicorn gthread": partial(gunicorn, APP, threads=THREADS),
    "Werkzeug": partial(werkzeug, APP),
    "cheroot": partial(cheroot, APP),
}
LENGTH = 1000
IN_A_THREAD = "Accept: text/event-stream\r\n"  # has the middleware call the application in a thread of its own


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


def post(path: str, sent: int, headers: str = "") -> bytes:
    """Return a request that announces LENGTH bytes and has `sent` of them."""
    return f"POST {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {LENGTH}\r\n\r\n".encode() + b"a" * sent


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()


def read_to_the_end(client: socket.socket) -> bytes:
    received = b""
    try:
        while block := client.recv(65536):
            received += block
    except ConnectionResetError:  # it sent something that the server did not read
        pass
    return received


def test_withheld_bodies_are_answered_408_while_other_requests_are_served(server: Server) -> None:
    requests = list(product(["/plain", "/generator", "/strict", "/flask", "/django"], ["", IN_A_THREAD]))
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect(post(path, 10, headers))) for path, headers in requests]
        other = stack.enter_context(server.connect(get("/plain")))
        assert read_to_the_end(other).startswith(b"HTTP/1.1 200 ")
        answers = [read_to_the_end(client) for client in clients]
    wrong = {
        request: answer
        for request, answer in zip(requests, answers, strict=True)
        if not answer.startswith(b"HTTP/1.1 408 ")
    }
    assert wrong == {}


def test_answer_that_is_not_an_error_stands_though_the_body_was_withheld(server: Server) -> None:
    with server.connect(post("/lenient", 10)) as client:
        assert read_to_the_end(client).startswith(b"HTTP/1.1 200 ")


def test_request_behind_a_withheld_body_is_not_answered(server: Server) -> None:
    with server.connect(post("/plain", 10)) as client:
        first = client.recv(65536)
        try:
            client.sendall(get("/plain"))
        except OSError:  # the connection is closed already
            rest = b""
        else:
            rest = read_to_the_end(client)
    assert first.startswith(b"HTTP/1.1 408 ")
    assert b"HTTP/1.1" not in rest


@pytest.mark.parametrize("path", ["/plain", "/generator", "/flask", "/django"])
def test_whole_body_is_read_and_the_next_request_answered_on_the_same_connection(
    server: Server, path: str, request: pytest.FixtureRequest
) -> None:
    if "Werkzeug" in request.node.callspec.id:
        pytest.skip("Werkzeug's server takes one request for each connection")
    with server.connect(post(path, LENGTH)) as client:
        answer = client.recv(65536)
        while str(LENGTH).encode() not in answer.partition(b"\r\n\r\n")[2]:
            block = client.recv(65536)
            assert block, answer
            answer += block
        client.sendall(get(path))
        second = read_to_the_end(client)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 200 " in second


def test_withheld_bodies_occupy_no_thread_of_waitress() -> None:
    with waitress(APP, f"threads={THREADS}") as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect(post("/plain", 10))) for _ in range(2 * THREADS)]
        other = stack.enter_context(server.connect(get("/plain")))
        assert read_to_the_end(other).startswith(b"HTTP/1.1 200 ")
        for client in clients:  # waitress calls the application once it has the whole body, however late
            client.sendall(b"a" * (LENGTH - 10) + get("/plain"))
            answers = read_to_the_end(client)
            assert answers.count(b"HTTP/1.1 200 ") == 2
