"""The kit works with httpx2 and with httpx: with either alone, and with both beside each other."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import httpx2
import pytest

import stream_adapter as sa
from stream_adapter.testing import (
    ASGIStreamTransport,
    WSGIStreamTransport,
    anext_chunk,
    assert_closes,
    assert_streams,
    async_stream_client,
    events,
    next_chunk,
    rows,
    stream_client,
)

either = pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])


def items() -> Iterator[int]:
    yield from range(1_000_000)


def events_app(environ: Any, start_response: Any) -> Any:
    return sa.sse(items(), keepalive=None).wsgi(environ, start_response)


def rows_app(environ: Any, start_response: Any) -> Any:
    return sa.ndjson(items()).wsgi(environ, start_response)


async def events_asgi(scope: Any, receive: Any, send: Any) -> None:
    async def source() -> AsyncIterator[int]:
        for item in items():
            yield item

    await sa.sse(source(), keepalive=None).asgi(scope, receive, send)


@either
def test_a_sync_client_of_either_library_streams_a_wsgi_application(library: Any) -> None:
    with library.Client(transport=WSGIStreamTransport(rows_app), base_url="http://testserver") as client:
        with client.stream("GET", "/") as response:
            assert isinstance(response, library.Response)
            assert next_chunk(response).startswith(b"0\n")
        with client.stream("GET", "/") as response:
            assert [next(rows(response)) for _ in range(3)] == [0, 1, 2]
        assert_streams(client, "/")
        assert_closes(client, "/")


async def read_events(library: Any) -> None:
    transport = ASGIStreamTransport(events_asgi)
    async with library.AsyncClient(transport=transport, base_url="http://testserver") as client:
        async with client.stream("GET", "/") as response:
            assert isinstance(response, library.Response)
            assert await anext_chunk(response)
        async with client.stream("GET", "/") as response:
            assert [(await anext(events(response))).json() for _ in range(3)] == [0, 1, 2]


@either
def test_an_async_client_of_either_library_reads_events(library: Any) -> None:
    asyncio.run(read_events(library))


@either
def test_a_sync_client_of_either_library_reads_events(library: Any) -> None:
    with (
        library.Client(transport=WSGIStreamTransport(events_app), base_url="http://testserver") as client,
        client.stream("GET", "/") as response,
    ):
        assert [next(events(response)).data for _ in range(2)] == ["0", "1"]


@either
def test_an_error_of_the_application_is_the_librarys_error_at_the_client(library: Any) -> None:
    def failing(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"a"
        raise RuntimeError

    transport = WSGIStreamTransport(failing, raise_app_exceptions=False)
    with (
        library.Client(transport=transport, base_url="http://testserver") as client,
        pytest.raises(library.RemoteProtocolError),
    ):
        client.get("/")


def test_the_kits_own_clients_are_of_httpx2() -> None:
    with stream_client(rows_app) as client:
        assert type(client) is httpx2.Client
    assert type(async_stream_client(events_asgi)) is httpx2.AsyncClient


WITHOUT = """
import sys
for name in {names}:
    sys.modules[name] = None  # as where it is not installed
{then}
"""


def run_without(names: list[str], then: str) -> subprocess.CompletedProcess[str]:
    """Run statements in a Python where packages are missing."""
    source = WITHOUT.format(names=names, then=then)
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)


CLIENT = """
import stream_adapter as sa
from stream_adapter.testing import stream_client, rows
with stream_client(sa.ndjson([1]).wsgi) as client, client.stream("GET", "/") as response:
    print(type(client).__module__.partition(".")[0], next(rows(response)))
"""


@pytest.mark.parametrize(("missing", "used"), [("httpx", "httpx2"), ("httpx2", "httpx")])
def test_kit_works_with_either_client_library_alone(missing: str, used: str) -> None:
    ran = run_without([missing], CLIENT)
    assert (ran.stdout, ran.stderr) == (f"{used} 1\n", "")


def test_without_both_libraries_the_error_says_what_to_install() -> None:
    ran = run_without(["httpx", "httpx2"], "import stream_adapter.testing")
    assert "ModuleNotFoundError: stream_adapter.testing needs httpx2" in ran.stderr
    assert "pip install 'stream-adapter[testing]'" in ran.stderr


def test_events_of_httpx_without_httpx_sse_say_what_to_install() -> None:
    then = CLIENT.replace("ndjson([1])", "sse([1])").replace("rows", "events")
    ran = run_without(["httpx2", "httpx_sse"], then)
    assert "pip install httpx-sse" in ran.stderr
