"""The request's body can be read in the source of its answer, whole and by whatever way, and a disconnect is seen."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter.types import Scope
from stream_adapter_fastapi import Stream, streaming
from tests.fastapi.bodies import app as served
from tests.fastapi.support import strict_client_of
from tests.support.gate import BOUND
from tests.support.servers import Server, granian, hypercorn, uvicorn

WAYS = [
    "fastapi/streaming",
    "fastapi/dependency",
    "fastapi/passed",
    "fastapi/response",
    "fastapi/adapted",
    "fastapi/router",
    "starlette/streaming",
    "starlette/response",
    "starlette/endpoint",
    "starlette/plain-endpoint",
    "adapted-starlette/adapted",
    "behind/fastapi/streaming",
    "behind/fastapi/response",
    "behind/starlette/streaming",
    "read/fastapi/streaming",
]
MIB = 1 << 20


def h11(app: str) -> AbstractContextManager[Server]:
    return uvicorn(app, "--http", "h11")


def httptools(app: str) -> AbstractContextManager[Server]:
    return uvicorn(app, "--http", "httptools")


SERVERS = [
    pytest.param(h11, id="h11"),
    pytest.param(httptools, id="httptools", marks=pytest.mark.servers),
    pytest.param(hypercorn, id="hypercorn", marks=pytest.mark.servers),
    pytest.param(granian, id="granian", marks=pytest.mark.servers),
]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    serve: Callable[[str], AbstractContextManager[Server]] = request.param
    with serve("tests.fastapi.bodies:app") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=20) as client:
        yield client


def chunked(size: int) -> Iterator[bytes]:
    """Send a body of a length that is not announced."""
    while size > 0:
        yield b"x" * min(size, 50_000)
        size -= 50_000


FORM = {"data": {"a": "b"}, "files": {"file": b"x" * 1000}}
READS: list[tuple[str, dict[str, Any], str]] = [
    ("json_first", {"json": {"q": "why"}}, "why\n"),
    ("body_first", {"content": b"x" * 10}, "10\n"),
    ("body_first", {}, "0\n"),
    ("body_first", {"content": b"x" * 3_000_000}, "3000000\n"),
    ("body_after", {"content": b"x" * 3_000_000}, "start\n3000000\n"),
    ("body_after", {}, "start\n0\n"),
    ("form_first", FORM, "b\n1000\n"),
    ("counted", {"content": chunked}, "start\n3000000\n"),
    ("looked", {"content": b"x" * 10}, "False\nFalse\nFalse\n10\n"),
    ("looked", {"content": chunked}, "False\nFalse\nFalse\n3000000\n"),
    ("twice", {"content": b"x" * 10}, "10\n10 False\n"),
    ("unread", {"content": b"x" * 10}, "unread\n"),
    ("unread", {}, "unread\n"),
]


def options_of(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value(3_000_000) if callable(value) else value for name, value in request.items()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "request_options", "text"), READS)
def test_the_body_is_read_in_the_source(
    client: httpx2.Client, way: str, kind: str, request_options: dict[str, Any], text: str
) -> None:
    assert client.post(f"/{way}/{kind}", **options_of(request_options)).text == text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "request_options", "text"), READS)
def test_the_body_is_read_in_the_source_under_the_test_client(
    way: str, kind: str, request_options: dict[str, Any], text: str
) -> None:
    client = strict_client_of(served)

    assert client.post(f"/{way}/{kind}", **options_of(request_options)).text == text


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET"])
@pytest.mark.parametrize("way", ["fastapi/streaming", "starlette/streaming"])
def test_body_is_read_in_the_source_for_every_method(client: httpx2.Client, method: str, way: str) -> None:
    assert client.request(method, f"/{way}/body_after", content=b"abc").text == "start\n3\n"


@pytest.mark.parametrize("way", ["fastapi/streaming", "starlette/response", "behind/fastapi/dependency"])
def test_a_body_is_answered_in_parts_while_it_is_sent(server: Server, way: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(
            f"POST /{way}/parts HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        reader = connection.makefile("rb")
        for size in (3, 6, 9):
            connection.sendall(b"3\r\nabc\r\n")
            while f"{size}\n".encode() not in reader.readline():
                pass
        connection.sendall(b"0\r\n\r\n")
        assert reader.read().endswith(b"0\r\n\r\n")


def test_echo_returns_each_byte_of_the_request(client: httpx2.Client) -> None:
    body = bytes(range(256)) * 4096

    assert client.post("/fastapi/streaming/echo", content=body).content == body


_keys = itertools.count()


@pytest.mark.parametrize("reads", ["before", "after", "never", "polls"])
@pytest.mark.parametrize("way", ["fastapi/streaming", "starlette/response", "behind/fastapi/dependency"])
def test_a_client_that_leaves_is_seen_whether_the_body_was_read_or_not(
    client: httpx2.Client, way: str, reads: str
) -> None:
    key = f"key-{next(_keys)}"

    with client.stream("POST", f"/{way}/end", params={"key": key, "reads": reads}, content=b"x" * 1000) as answer:
        assert next(answer.iter_lines()) == "start"

    assert client.get(f"/ended/{key}").text == "ended"


@pytest.mark.parametrize("reads", ["before", "parts", "never"])
def test_a_client_that_leaves_amid_its_body_is_seen(server: Server, client: httpx2.Client, reads: str) -> None:
    key = f"key-{next(_keys)}"
    head = f"POST /fastapi/streaming/end?key={key}&reads={reads} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(head.encode() + b"x" * 100_000)
        if reads != "before":
            assert connection.recv(5) == b"HTTP/"

    assert client.get(f"/ended/{key}").text == "ended"


def test_a_large_body_takes_little_memory(server: Server, client: httpx2.Client) -> None:
    size = 300 * MIB
    client.post("/fastapi/streaming/counted", content=b"x")
    before = server.peak_memory()

    def parts() -> Iterator[bytes]:
        block = bytes(MIB)
        for _ in range(size // MIB):
            yield block

    assert client.post("/fastapi/streaming/counted", content=parts()).text == f"start\n{size}\n"
    assert server.peak_memory() - before < 40 * MIB


class Slow:
    """A server's `receive` that counts its callers."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.calls = self.most = self.running = 0
        self.left = asyncio.Event()

    async def __call__(self) -> dict[str, Any]:
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            if self.messages:
                return self.messages.pop(0)
            await self.left.wait()
            return {"type": "http.disconnect"}
        finally:
            self.running -= 1


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def scope_of(app: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "app": app,
        "asgi": {"version": "3.0"},
    }


def test_the_server_is_asked_by_one_caller_at_a_time_and_not_for_more_than_fits() -> None:
    async def run() -> tuple[int, int, bytes]:
        receive = Slow(*[part(b"x" * 100_000)] * 10, part(b"", more=False))
        app, sent, begun, may_read = FastAPI(), list[dict[str, Any]](), asyncio.Event(), asyncio.Event()

        @app.post("/")
        @streaming
        async def view(request: Request) -> Any:
            begun.set()
            await may_read.wait()
            yield str(len(await request.body()))

        async def send(message: Any) -> None:
            sent.append(message)

        answering = asyncio.create_task(app(scope_of(app), receive, send))
        await begun.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        calls = receive.calls
        may_read.set()
        await answering
        return calls, receive.most, b"".join(message.get("body", b"") for message in sent)

    assert asyncio.run(run()) == (3, 1, b"1000000")


def test_a_server_that_never_says_that_a_client_left_is_not_asked_forever() -> None:
    async def run() -> tuple[int, bytes]:
        receive = Slow(*[part(b"", more=False)] * 1000)
        app, sent = FastAPI(), list[dict[str, Any]]()

        @app.post("/")
        async def view(stream: Stream) -> Response:
            async def rows() -> Any:
                for _ in range(50):
                    await asyncio.sleep(0)
                yield "a"

            return stream(rows())

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope_of(app), receive, send)
        return receive.calls, b"".join(message.get("body", b"") for message in sent)

    assert asyncio.run(run()) == (2, b"a")


def test_background_task_reads_the_rest_of_the_request_body() -> None:
    app, sizes = FastAPI(), list[int]()

    @app.post("/")
    async def view(request: Request, stream: Stream) -> Response:
        made = stream(sa.text(iter("ab")))

        async def read() -> None:
            sizes.append(len(await request.body()))

        made.background = BackgroundTask(read)
        return made

    assert strict_client_of(app).post("/", content=b"x" * 1000).text == "ab"
    assert sizes == [1000]


def test_client_that_leaves_a_large_body_unread_is_seen_before_the_stream() -> None:
    app = FastAPI()

    @app.post("/")
    async def view(request: Request, stream: Stream) -> Any:
        while not await request.is_disconnected():  # noqa: ASYNC110  # it is how views ask
            await asyncio.sleep(0)
        return stream(iter("a"))

    parts = itertools.repeat({"type": "http.request", "body": b"x" * 65536, "more_body": True}, 4)
    messages = itertools.chain(parts, itertools.repeat({"type": "http.disconnect"}))

    async def receive() -> Any:
        return next(messages)

    async def send(_: Any) -> None: ...

    scope: Scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}
    asyncio.run(asyncio.wait_for(app(scope, receive, send), BOUND))
