"""Over a real socket: a body of another length than announced ends its connection, and no head smuggles a field."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.security.apps.heads import FORGED
from tests.support.gate import BOUND
from tests.support.servers import (
    Server,
    granian,
    gunicorn,
    gunicorn_gevent,
    hypercorn,
    uvicorn,
    waitress,
    werkzeug,
)

WSGI, ASGI = "tests.security.apps.heads:wsgi", "tests.security.apps.heads:asgi"
SERVERS: dict[str, Callable[..., AbstractContextManager[Server]]] = {
    "gunicorn gthread": partial(gunicorn, WSGI),
    "gunicorn gevent": partial(gunicorn_gevent, WSGI),
    "waitress": partial(waitress, WSGI),
    "Werkzeug": partial(werkzeug, WSGI),
    "uvicorn h11": partial(uvicorn, ASGI, "--http", "h11"),
    "uvicorn httptools": partial(uvicorn, ASGI, "--http", "httptools"),
    "hypercorn": partial(hypercorn, ASGI),
    "granian": partial(granian, ASGI),
}
BY_DEFAULT = {"gunicorn gthread", "uvicorn h11"}
PROMISED = {"short": 100, "long": 30}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in BY_DEFAULT else pytest.mark.security, id=name) for name in SERVERS],
)
def server(request: pytest.FixtureRequest) -> Generator[Server]:
    with SERVERS[request.param]() as running:
        yield running


def converse(server: Server, *paths: str) -> bytes:
    """Send requests on one connection, one behind the other; return what comes until it closes, after the last."""
    received = b""
    *first, last = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n" for path in paths]
    requests = "".join([f"{head}\r\n" for head in first] + [f"{last}Connection: close\r\n\r\n"])
    connection = socket.create_connection(("127.0.0.1", server.port), BOUND)
    with connection, contextlib.suppress(ConnectionError):
        connection.sendall(requests.encode())
        while block := connection.recv(65536):
            received += block
    return received


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("path", PROMISED)
def test_body_of_another_length_ends_its_connection(server: Server, kind: str, path: str) -> None:
    received = converse(server, f"/{kind}/{path}", "/sync/next")
    assert received.count(b"HTTP/1.1 ") <= 1  # none, if the server resets a connection that has another request
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " in head.partition(b"\r\n")[0]:
        assert re.findall(rb"(?i)content-length: (\d+)", head) == [b"%d" % PROMISED[path]]
        assert len(body) <= PROMISED[path]
    else:  # it was found out before the first byte
        assert received == b"" or b" 500 " in head.partition(b"\r\n")[0]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_body_of_the_right_length_keeps_its_connection(server: Server, kind: str) -> None:
    if kind == "async" and "gevent" in server.process.args:  # type: ignore[operator]  # they are a list
        pytest.skip("gevent runs no event loop, so an async source is an UnsupportedError")
    received = converse(server, f"/{kind}/right", "/sync/next")
    answers = 1 if b"Connection: close" in received.partition(b"\r\n\r\n")[0] else 2  # Werkzeug keeps none
    assert received.count(b"HTTP/1.1 200 ") == answers


@pytest.mark.parametrize("path", [*FORGED, "/interim"])
def test_forged_head_is_an_internal_error(server: Server, path: str) -> None:
    received = converse(server, f"/sync{path}")
    assert received == b"" or received.startswith((b"HTTP/1.1 500", b"HTTP/1.0 500"))
    assert not re.search(rb"(?i)x-a:|set-cookie|[\0\v\x1b]", received)
    assert b"a" * 10 not in received
