"""Files that trickle, and the responses of HTTP clients: what is there is sent, and all of it is closed."""

from __future__ import annotations

import asyncio
import codecs
import importlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiofiles  # type: ignore[import-untyped]  # it has no types
import aiohttp
import anyio
import anyio.streams.text
import attrs
import httpx
import httpx2
import pydantic
import pytest
import requests
import urllib3

import stream_adapter as sa
from stream_adapter.errors import SourceError
from tests.support.gate import BOUND
from tests.support.interfaces import call_asgi, call_wsgi
from tests.values.upstream import LINES, Upstream, upstream

botocore: Any = importlib.import_module("botocore.response")  # it has no types

WRITER = "import os, sys; os.write(1, b'first\\n'); sys.stdin.readline(); os.write(1, b'second\\n')"


@pytest.fixture
def trickle() -> Iterator[Upstream]:
    with upstream() as served:
        yield served


@pytest.fixture
def pipe() -> tuple[int, Callable[[], None]]:
    """A pipe's reading end with the first line in it, and what writes the second and ends it."""
    reading, writing = os.pipe()
    os.write(writing, LINES[0])

    def go_on() -> None:
        os.write(writing, LINES[1])
        os.close(writing)

    return reading, go_on


PIPES: dict[str, Callable[[int], Any]] = {
    "binary": lambda fd: os.fdopen(fd, "rb"),
    "unbuffered": lambda fd: os.fdopen(fd, "rb", buffering=0),
    "text": os.fdopen,
    "large buffer": lambda fd: os.fdopen(fd, "rb", buffering=1 << 20),
}


@pytest.mark.parametrize("opened", PIPES.values(), ids=PIPES)
def test_pipe_is_streamed_as_it_fills(pipe: tuple[int, Callable[[], None]], opened: Callable[[int], Any]) -> None:
    fd, go_on = pipe
    file = opened(fd)
    chunks = sa.iter_bytes(file)
    assert next(chunks) == LINES[0]
    go_on()
    assert list(chunks) == [LINES[1]]
    assert file.closed


@pytest.mark.parametrize("text", [False, True])
def test_a_process_is_followed_line_by_line(text: bool) -> None:
    command = [sys.executable, "-c", WRITER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=text) as process:
        assert process.stdin is not None
        chunks = sa.iter_bytes(process.stdout)
        assert next(chunks) == LINES[0]
        process.stdin.close()
        assert list(chunks) == [LINES[1]]


@pytest.mark.parametrize("mode", ["rb", "rwb", "r"])
def test_content_of_a_socket_is_sent(mode: str) -> None:
    near, far = socket.socketpair()
    opened: Any = socket.socket.makefile
    file = opened(near, mode)
    with near, far, file:
        far.sendall(LINES[0])
        chunks = sa.iter_bytes(file)
        assert next(chunks) == LINES[0]
        far.sendall(LINES[1])
        far.close()
        assert list(chunks) == [LINES[1]]


def by_urlopen(url: str, stack: ExitStack) -> Any:
    return stack.enter_context(urllib.request.urlopen(url))


def by_httpx(url: str, stack: ExitStack) -> Any:
    client = stack.enter_context(httpx.Client(timeout=BOUND))
    return client.send(client.build_request("GET", url), stream=True)


def by_httpx2(url: str, stack: ExitStack) -> Any:
    client = stack.enter_context(httpx2.Client(timeout=BOUND))
    return client.send(client.build_request("GET", url), stream=True)


def by_requests(url: str, stack: ExitStack) -> Any:
    return stack.enter_context(requests.Session()).get(url, stream=True)


def by_urllib3(url: str, stack: ExitStack) -> Any:
    return stack.enter_context(urllib3.PoolManager()).request("GET", url, preload_content=False)


SYNC_CLIENTS = {
    "urlopen": by_urlopen,
    "httpx": by_httpx,
    "httpx2": by_httpx2,
    "requests": by_requests,
    "urllib3": by_urllib3,
}


def is_closed(response: Any) -> bool:
    if isinstance(response, requests.Response):
        response = response.raw
    closed = getattr(response, "is_closed", None)
    return bool(response.closed if closed is None else closed)


DECODED = [
    pytest.param(get, path, id=f"{name}{path}")
    for name, get in SYNC_CLIENTS.items()
    for path in ("/chunked", "/length", "/close", "/gzip")
    if (name, path) != ("urlopen", "/gzip")  # which decompresses nothing
]


@pytest.mark.parametrize(("get", "path"), DECODED)
def test_the_response_of_a_sync_client_is_streamed_and_closed(trickle: Upstream, get: Any, path: str) -> None:
    with ExitStack() as stack:
        response = get(trickle.url + path, stack)
        chunks = sa.iter_bytes(response)
        first = next(chunks)
        trickle.had_first.set()
        rest = b"".join(chunks)
        assert is_closed(response)
    assert rest == LINES[1]
    assert first == LINES[0]


@pytest.mark.parametrize("get", SYNC_CLIENTS.values(), ids=SYNC_CLIENTS)
def test_a_response_that_was_never_read_is_closed(trickle: Upstream, get: Any) -> None:
    trickle.had_first.set()
    with ExitStack() as stack:
        response = get(trickle.url, stack)
        assert call_wsgi(sa.Response(response), method="HEAD").body == b""
        assert is_closed(response)


async def first_and_rest(source: Any, trickle: Upstream) -> tuple[bytes, bytes]:
    chunks = sa.aiter_bytes(source)
    first = await anext(chunks)
    trickle.had_first.set()
    rest = b"".join([chunk async for chunk in chunks])
    await chunks.aclose()
    return first, rest


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_response_of_httpx_is_streamed_on_a_loop_and_closed(trickle: Upstream, module: Any) -> None:
    async def fetch() -> None:
        async with module.AsyncClient() as client:
            response = await client.send(client.build_request("GET", trickle.url), stream=True)
            assert await first_and_rest(response, trickle) == LINES
            assert response.is_closed

    asyncio.run(fetch())


@pytest.mark.parametrize("part", ["response", "content"])
def test_a_response_of_aiohttp_is_streamed_and_closed(trickle: Upstream, part: str) -> None:
    async def fetch() -> None:
        async with aiohttp.ClientSession() as client:
            response = await client.get(trickle.url)
            assert await first_and_rest(response if part == "response" else response.content, trickle) == LINES
            assert response.closed or part == "content"

    asyncio.run(fetch())


def test_a_response_of_httpx_that_is_read_already_is_its_content() -> None:
    response = httpx.Response(200, content=b"read")
    assert call_wsgi(sa.Response(response)).body == b"read"
    assert call_asgi(sa.Response(httpx.Response(200, content=b"read"))).body == b"read"


def test_the_body_of_an_s3_object_is_streamed_and_closed() -> None:
    raw = urllib3.HTTPResponse(body=io.BytesIO(b"x" * 100_000), preload_content=False)
    body = botocore.StreamingBody(raw, 100_000)
    assert b"".join(sa.iter_bytes(body)) == b"x" * 100_000
    assert raw.closed


class Whole:
    def read(self) -> bytes:
        return b"all"


class WholeAsync:
    async def read(self) -> bytes:
        return b"all"


@pytest.mark.parametrize("content", [Whole(), WholeAsync()])
def test_read_without_a_size_is_not_a_file_and_the_error_says_so(content: object) -> None:
    with pytest.raises(SourceError, match=r"Whole.*; its read\(\) takes no size: give what it returns"):
        sa.Response(content)


class Progress(io.BytesIO):
    """A file whose `read` is the user's own, and whose `read1` is not."""

    seen = 0

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self.seen += len(block)
        return block


def test_a_read_of_ones_own_is_called_rather_than_an_inherited_read1() -> None:
    file = Progress(b"x" * 70_000)
    assert b"".join(sa.iter_bytes(file)) == b"x" * 70_000
    assert file.seen == 70_000


def test_a_file_that_decodes_another_is_read_itself(tmp_path: Path) -> None:
    path = tmp_path / "latin"
    path.write_bytes("é\n".encode("latin-1"))
    with path.open("rb") as raw, codecs.getreader("latin-1")(raw) as decoded:
        assert b"".join(sa.iter_bytes(decoded)) == "é\n".encode()


@pytest.mark.parametrize("mode", ["w+b", "w+"])
@pytest.mark.parametrize("make", [tempfile.SpooledTemporaryFile, tempfile.NamedTemporaryFile])
def test_a_temporary_file_is_read_in_either_mode(make: Any, mode: str) -> None:
    with make(mode=mode) as file:
        file.write("text" if mode == "w+" else b"text")
        file.seek(0)
        assert b"".join(sa.iter_bytes(file)) == b"text"


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_async_files_of_a_pipe_are_read_as_it_fills(pipe: tuple[int, Callable[[], None]], mode: Any) -> None:
    fd, go_on = pipe

    async def read(file: Any) -> None:
        chunks = sa.aiter_bytes(file)
        assert await anext(chunks) == LINES[0]
        go_on()
        assert [chunk async for chunk in chunks] == [LINES[1]]

    async def both() -> None:
        if mode == "rb":
            async with aiofiles.open(fd, mode) as file:
                await read(file)
        else:
            await read(anyio.wrap_file(os.fdopen(fd)))

    asyncio.run(both())


def as_it_is(stream: Any) -> Any:
    return stream


def test_the_streams_of_anyio_are_sources_and_closed() -> None:
    async def read(source: Any) -> bytes:
        return b"".join([chunk async for chunk in sa.aiter_bytes(source)])

    async def check() -> None:
        sending, receiving = anyio.create_memory_object_stream[object](10)
        async with sending:
            await sending.send("a")
            await sending.send(1)
        assert await read(receiving) == b"a1"
        with pytest.raises(anyio.ClosedResourceError):
            await receiving.receive()
        decoders: list[Callable[[Any], Any]] = [as_it_is, anyio.streams.text.TextReceiveStream]
        for decode in decoders:
            async with await anyio.open_process([sys.executable, "-c", "print('out')"]) as process:
                assert await read(decode(process.stdout)) == b"out\n"

    asyncio.run(check())


@dataclass
class Pages:
    """A dataclass that is iterated: its fields are its own affair."""

    count: int

    def __iter__(self) -> Iterator[str]:
        return map(str, range(self.count))


@attrs.define
class AttrsPages:
    count: int

    def __iter__(self) -> Iterator[str]:
        return map(str, range(self.count))


@dataclass
class AsyncPages:
    count: int

    async def __aiter__(self) -> AsyncIterator[str]:
        for number in range(self.count):
            yield str(number)


@dataclass
class Steps:
    """What has `__next__` alone."""

    count: int

    def __next__(self) -> str:
        if not self.count:
            raise StopIteration
        self.count -= 1
        return str(self.count)


@dataclass
class AsyncSteps:
    """What has `__anext__` alone."""

    count: int

    async def __anext__(self) -> str:
        if not self.count:
            raise StopAsyncIteration
        self.count -= 1
        return str(self.count)


@pytest.mark.parametrize(
    ("source", "body"),
    [(Pages(2), b"01"), (AttrsPages(2), b"01"), (AsyncPages(2), b"01"), (Steps(2), b"10"), (AsyncSteps(2), b"10")],
)
def test_iterable_object_with_fields_is_a_source(source: object, body: bytes) -> None:
    assert b"".join(sa.iter_bytes(source)) == body


class Model(pydantic.BaseModel):
    a: int = 1


class Numbers(pydantic.RootModel[list[int]]):
    def __iter__(self) -> Iterator[int]:  # type: ignore[override]  # as Pydantic's documentation has it
        return iter(self.root)


@pytest.mark.parametrize(("model", "body"), [(Model(), b'{"a":1}'), (Numbers([1, 2]), b"[1,2]")])
def test_a_model_of_pydantic_is_one_document(model: object, body: bytes) -> None:
    answer = call_wsgi(sa.Response(model))
    assert (answer.body, answer.header("Content-Type")) == (body, ["application/json"])


@pytest.mark.parametrize("chunk", [AsyncPages(1), Steps(1), AsyncSteps(1)])
def test_a_source_as_a_chunk_is_an_error_that_says_how_to_yield_it(chunk: object) -> None:
    with pytest.raises(sa.ChunkEncodingError, match=r'chunk 0: .*test_live_sources\.\w+; did you mean "'):
        list(sa.iter_bytes([chunk]))
