"""Each field of a request, with 64 KiB of its worst: bounded in time and memory, never a 500, and others are answered.

By default a few fields, on one WSGI and one ASGI server; `-m security` tries all of them on all servers.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.security.worst import FIELDS, LENGTHS, WORST
from tests.support.gate import BOUND
from tests.support.servers import Server, granian, gunicorn, hypercorn, uvicorn, waitress, werkzeug

WSGI, ASGI = "tests.security.apps.fields:wsgi", "tests.security.apps.fields:asgi"
SERVERS: dict[str, Callable[..., AbstractContextManager[Server]]] = {
    "gunicorn gthread": partial(gunicorn, WSGI),
    "uvicorn h11": partial(uvicorn, ASGI, "--http", "h11"),
    "uvicorn httptools": partial(uvicorn, ASGI, "--http", "httptools"),
    "hypercorn": partial(hypercorn, ASGI),
    "granian": partial(granian, ASGI),
    "waitress": partial(waitress, WSGI),
    "Werkzeug": partial(werkzeug, WSGI),
}
BY_DEFAULT = {"gunicorn gthread", "uvicorn h11"}
PATHS = ["/negotiated", "/events", "/file", "/adapted/negotiated", "/compressing/negotiated"]
SIZES = [8000, 65000]  # below the bound of gunicorn, and of most
CPU = 1.0  # seconds of the server's processor time that one request may take; most take a few milliseconds
GROWTH = 24 << 20  # bytes

each_server = pytest.mark.parametrize(
    "server",
    [pytest.param(name, marks=() if name in BY_DEFAULT else pytest.mark.security, id=name) for name in SERVERS],
    indirect=True,
)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    path: Path = tmp_path_factory.mktemp("fields") / "file.txt"
    path.write_bytes(bytes(range(256)) * 1024)
    path.with_name("file.txt.gz").write_bytes(b"not looked into")
    with SERVERS[request.param](TEST_FILE=str(path)) as running:
        yield running
        log = running.log()
        assert "Traceback" not in log, log[max(log.find("Traceback") - 400, 0) :][:4000]


def ask(server: Server, target: str, fields: Iterable[tuple[str, str]] = ()) -> tuple[int | None, bytes]:
    """Send one request and return its status and body; None if the server closed the connection instead."""
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    if not any(name == "Host" for name, _ in fields):
        lines.append("Host: localhost")
    head = "\r\n".join([*lines, "Connection: close", "\r\n"]).encode("latin-1")
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), BOUND) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head)
        with contextlib.suppress(ConnectionError):
            while block := connection.recv(65536):
                received += block
    start, _, body = received.partition(b"\r\n\r\n")
    return (int(start.split(b" ", 2)[1]), body) if received else (None, b"")


def resources(server: Server) -> dict[str, float]:
    status, body = ask(server, "/resources")
    assert status == 200
    used: dict[str, float] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])  # it may be chunked
    return used


def try_all(server: Server, requests: Iterable[tuple[str, list[tuple[str, str]]]]) -> int:
    """Send requests one after the other; no one of them may cost much, fail, or keep another from being answered."""
    count = 0
    used = resources(server)["cpu"]
    for target, fields in requests:
        with ThreadPoolExecutor(1) as other:
            answered = other.submit(ask, server, "/negotiated")
            status, _ = ask(server, target, fields)
            assert answered.result()[0] == 200
        what = target[:80], [(name, value[:80]) for name, value in fields]
        assert status is None or status < 500 or status == 505, what
        now = resources(server)["cpu"]
        assert now - used < CPU, what
        used, count = now, count + 1
    return count


def of_field(name: str, sizes: Iterable[int]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for path in PATHS:
        for size in sizes:
            for worst in WORST.values():
                yield path, [(name, worst(size))]


@each_server
@pytest.mark.parametrize("path", ["/negotiated", "/adapted/negotiated"])
def test_long_accept_is_answered_at_once(server: Server, path: str) -> None:
    blanks = WORST["blanks"]
    assert try_all(server, [(path, [("Accept", blanks(size))]) for size in (1000, 8000, 20000, 64000)]) == 4


@each_server
@pytest.mark.parametrize("name", FIELDS)
def test_hostile_field_just_below_the_servers_bound_is_answered_quickly(server: Server, name: str) -> None:
    kinds = ["blanks", "commas", "quotes", "digits", "brackets", "a huge year", "a year out of range", "ranges"]
    assert try_all(server, [("/file", [(name, WORST[kind](8000))]) for kind in kinds]) == len(kinds)


@pytest.mark.security
@each_server
@pytest.mark.parametrize("name", FIELDS)
def test_hostile_value_of_each_field_is_answered_quickly_on_each_path(server: Server, name: str) -> None:
    assert try_all(server, of_field(name, SIZES)) == len(PATHS) * len(SIZES) * len(WORST)


@each_server
def test_length_that_is_not_a_number_is_never_an_error_of_the_server(server: Server) -> None:
    assert try_all(server, [("/adapted/negotiated", [("Content-Length", length)]) for length in LENGTHS])


@each_server
def test_hostile_path_and_query_are_answered_quickly(server: Server) -> None:
    kinds = ["commas", "digits", "percents", "ampersands", "dots", "letters"]
    targets = [f"/{WORST[kind](7000)}" for kind in kinds]
    targets += [f"/events?last_event_id={WORST[kind](7000)}" for kind in kinds]
    targets += ["/%00", "/%2e%2e/%2e%2e/etc/passwd", "/%c0%ae%c0%ae/", "/%ff", "//file.txt", "/adapted/%ff?%ff"]
    assert try_all(server, [(target, []) for target in targets]) == len(targets)


@each_server
def test_field_that_is_repeated_until_the_head_is_full(server: Server) -> None:
    for name in ("Accept", "Cookie", "X-A"):
        assert try_all(server, [("/adapted/negotiated", [(name, "a")] * count) for count in (90, 2000)])


def distinct_fields(count: int) -> Iterator[list[tuple[str, str]]]:
    for number in range(count):
        long = f"a/{number:06}," * 90
        yield [("Accept", long), ("Accept-Encoding", long), ("Last-Event-ID", long), ("If-None-Match", long)]


def memory_after(server: Server, count: int) -> float:
    """Send each path so many requests that have nothing in common, and return what the server has resident then."""
    for path in ("/negotiated", "/events", "/file"):
        for fields in distinct_fields(count):
            assert ask(server, path, fields)[0] in {200, 204}
    return resources(server)["rss"]


@each_server
@pytest.mark.parametrize("count", [60, pytest.param(350, marks=pytest.mark.security)])
def test_memory_does_not_grow_with_hostile_requests(server: Server, count: int) -> None:
    before = memory_after(server, 60)  # what is made once is there by then
    assert memory_after(server, count) - before < GROWTH
