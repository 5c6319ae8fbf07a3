"""Each sample of the page does what the page says, in each framework, through a real server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.gate import BOUND
from tests.support.servers import Server, gunicorn, uvicorn

MIB = 1 << 20
LARGE_FILE = bytes(range(256)) * 4 * 4096  # 4 MiB

SERVERS: dict[str, tuple[Callable[..., Any], str]] = {
    "Flask": (gunicorn, "flask_app:app"),
    "Django WSGI": (gunicorn, "django_app:wsgi"),
    "Django ASGI": (uvicorn, "django_app:asgi"),
    "FastAPI": (uvicorn, "fastapi_app:app"),
}


@dataclass(frozen=True)
class Host:
    server: Server
    http: httpx2.Client
    csv: Future[httpx2.Response]

    def get(self, path: str) -> httpx2.Response:
        return self.http.get(path)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Host]]:
    folder: Path = tmp_path_factory.mktemp("files")
    (folder / "large_file.bin").write_bytes(LARGE_FILE)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())

        def start(serve: Callable[..., Any], app: str) -> Host:
            server = stack.enter_context(serve(f"tests.model_page.apps.{app}", cwd=folder))
            # one connection per request: uvicorn closes it after an error, and a pool would race that
            limits = httpx2.Limits(max_keepalive_connections=0)
            client = stack.enter_context(httpx2.Client(base_url=server.url, timeout=BOUND, limits=limits))
            # the CSV sample takes ten seconds, on every host at the same time
            return Host(server, client, pool.submit(httpx2.get, f"{server.url}/csv", timeout=BOUND))

        yield {name: start(*how) for name, how in SERVERS.items()}


@pytest.fixture(params=SERVERS)
def host(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Host:
    return hosts[request.param]


CHUNKS = b"".join(b"Chunk %d\n" % i for i in range(5))

BODIES: list[tuple[str, bytes, str]] = [
    ("/stream", CHUNKS, "text/plain"),
    ("/returned", CHUNKS, "application/octet-stream"),
    ("/types/binary", b"Binary data", "application/octet-stream"),
    ("/types/text", b"String data", "application/octet-stream"),
    ("/types/numbers", b"42", "application/octet-stream"),
    ("/types/json", b'{"key": "value"}', "application/octet-stream"),
    ("/types/values", b'{"key":"value"}\n42\n', "application/x-ndjson"),
    (
        "/stream-html",
        b"<html><body><p>Chunk 0</p><p>Chunk 1</p><p>Chunk 2</p><p>Chunk 3</p><p>Chunk 4</p></body></html>",
        "text/html; charset=utf-8",
    ),
]


@pytest.mark.parametrize(("path", "body", "content_type"), BODIES, ids=[path for path, *_ in BODIES])
def test_each_sample_of_the_page_streams_its_items(path: str, body: bytes, content_type: str, host: Host) -> None:
    response = host.get(path)
    assert (response.status_code, response.content) == (200, body)
    assert response.headers["content-type"] == content_type
    assert "content-length" not in response.headers


def test_text_and_numbers_need_no_encoding(host: Host) -> None:
    response = host.get("/types/unencoded")
    assert (response.status_code, response.content) == (200, b"data42")
    assert response.headers["content-type"] in {"text/plain; charset=utf-8", "text/html; charset=utf-8"}


def test_strict_mode_of_the_page_answers_text_with_500(host: Host) -> None:
    assert host.get("/types/strict").status_code == 500


def test_events_arrive_while_the_source_goes_on_and_it_is_closed_when_the_client_leaves(host: Host) -> None:
    received = b""
    with host.http.stream("GET", "/events") as response:
        for chunk in response.iter_raw():
            received += chunk
            if received.count(b"\n\n") == 2:
                break
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers.get_list("cache-control") == ["no-cache"]
    assert response.headers["x-accel-buffering"] == "no"
    events = [json.loads(event.removeprefix(b"data: ")) for event in received.strip().split(b"\n\n")]
    assert [event["event"] for event in events] == ["update", "update"]
    assert events[0]["time"] < events[1]["time"]
    assert "disconnect" in host.get("/ended/disconnect").text


def test_large_file_is_downloaded_with_type_and_length(host: Host) -> None:
    response = host.get("/download")
    assert response.content == LARGE_FILE
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == "attachment; filename=file.bin"


def test_errors_that_the_generator_handles_are_part_of_the_body(host: Host) -> None:
    response = host.get("/errors")
    with pytest.raises(ZeroDivisionError) as error:
        _ = 6 // 0  # its text is Python's, and another one from 3.14 on
    assert (response.status_code, response.text) == (200, f"6\n3\nError: {error.value}")


def test_a_million_yields_leave_memory_flat(host: Host) -> None:
    host.get("/stream")
    before = host.server.peak_memory()
    length = 0
    with host.http.stream("GET", "/memory") as response:
        for chunk in response.iter_raw():
            length += len(chunk)
    assert length == sum(len(str(i)) for i in range(1_000_000))
    assert host.server.peak_memory() - before < 32 * MIB


def test_async_client_receives_the_stream_in_chunks(host: Host) -> None:
    async def test() -> None:
        async with (
            httpx2.AsyncClient(timeout=BOUND) as client,
            client.stream("GET", f"{host.server.url}/stream") as response,
        ):
            chunks: list[str] = []
            async for chunk in response.aiter_bytes():
                chunks.append(chunk.decode())  # noqa: PERF401  # as on the page
            assert len(chunks) > 0
            assert "".join(chunks).encode() == CHUNKS

    asyncio.run(test())


def test_csv_is_sent_as_it_is_generated(host: Host) -> None:
    response = host.csv.result(BOUND)
    assert response.headers["content-type"].partition(";")[0] == "text/csv"
    assert response.headers["content-disposition"] == "attachment; filename=data.csv"
    header, *rows = response.text.splitlines()
    assert header == "id,name,value"
    assert len(rows) == 1000
    assert all(re.fullmatch(rf"{i},item-{i},\d+", row) for i, row in enumerate(rows))
