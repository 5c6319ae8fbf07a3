"""What a body can be: every kind of source through every way out."""

from __future__ import annotations

import asyncio
import functools
import io
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.errors import SourceError
from tests.support.interfaces import call_asgi, call_wsgi


def generator() -> Iterator[object]:
    yield b"a"
    yield "b"
    yield 1


async def async_generator() -> AsyncIterator[object]:
    yield b"a"
    await asyncio.sleep(0)
    yield "b"
    yield 1


class Iterates:
    def __iter__(self) -> Iterator[object]:
        return generator()


class AsyncIterates:
    def __aiter__(self) -> AsyncIterator[object]:
        return async_generator()


class IteratesEitherWay(Iterates, AsyncIterates):
    pass


class AsyncFile:
    """What aiofiles and anyio give: an async read, and iteration by lines that must not be used."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)
        self.sizes: list[int] = []

    async def read(self, size: int = -1) -> bytes:
        self.sizes.append(size)
        return self._file.read(size)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a line"


class SyncFile(io.BytesIO):
    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.sizes: list[int | None] = []

    def read(self, size: int | None = -1, /) -> bytes:
        self.sizes.append(size)
        return super().read(size)


async def awaited(content: object) -> object:
    await asyncio.sleep(0)
    return content


SOURCES: dict[str, Callable[[], object]] = {
    "list": lambda: [b"a", "b", 1],
    "tuple": lambda: (b"a", "b", 1),
    "deque": lambda: deque([b"a", "b", 1]),
    "iterator": lambda: iter([b"a", "b", 1]),
    "map": lambda: map(str, "ab1"),
    "generator": generator,
    "async generator": async_generator,
    "iterable": Iterates,
    "async iterable": AsyncIterates,
    "sync and async iterable": IteratesEitherWay,
    "awaitable of a generator": lambda: awaited(generator()),
    "awaitable of an async generator": lambda: awaited(async_generator()),
    "awaitable of a list": lambda: awaited([b"a", "b", 1]),
    "awaitable of an awaitable": lambda: awaited(awaited([b"a", "b", 1])),
    "awaitable of text": lambda: awaited("ab1"),
    "awaitable of a file": lambda: awaited(io.BytesIO(b"ab1")),
    "awaitable of an async file": lambda: awaited(AsyncFile(b"ab1")),
    "bytes": lambda: b"ab1",
    "bytearray": lambda: bytearray(b"ab1"),
    "memoryview": lambda: memoryview(b"ab1"),
    "text": lambda: "ab1",
    "file": lambda: io.BytesIO(b"ab1"),
    "text file": lambda: io.StringIO("ab1"),
    "async file": lambda: AsyncFile(b"ab1"),
}


def by_iter_bytes(source: object) -> bytes:
    return b"".join(sa.iter_bytes(source))


def by_aiter_bytes(source: object) -> bytes:
    async def collect() -> bytes:
        return b"".join([chunk async for chunk in sa.aiter_bytes(source)])

    return asyncio.run(collect())


def by_wsgi(source: object) -> bytes:
    return _complete(call_wsgi(sa.Response(source)))


def by_asgi(source: object) -> bytes:
    return _complete(call_asgi(sa.Response(source)))


def _complete(answer: Any) -> bytes:
    if answer.error is not None:
        raise answer.error
    assert answer.complete
    body: bytes = answer.body
    return body


WAYS_OUT: dict[str, Callable[[object], bytes]] = {
    "iter_bytes": by_iter_bytes,
    "aiter_bytes": by_aiter_bytes,
    "wsgi": by_wsgi,
    "asgi": by_asgi,
}
every_way_out = pytest.mark.parametrize("body_of", WAYS_OUT.values(), ids=WAYS_OUT)


@every_way_out
@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_kind_of_source_gives_its_chunks(make: Callable[[], object], body_of: Callable[[object], bytes]) -> None:
    assert body_of(make()) == b"ab1"


@every_way_out
@pytest.mark.parametrize("make", [dict[str, int], MappingProxyType[str, int]], ids=["dict", "mapping"])
def test_a_mapping_is_one_json_chunk(
    make: Callable[[Mapping[str, int]], object], body_of: Callable[[object], bytes]
) -> None:
    assert body_of(make({"a": 1, "b": 2})) == b'{"a":1,"b":2}'


@every_way_out
@pytest.mark.parametrize("make", [lambda: None, list, lambda: iter(()), lambda: "", lambda: b"", io.BytesIO])
def test_empty_content_of_each_kind_is_an_empty_body(
    make: Callable[[], object], body_of: Callable[[object], bytes]
) -> None:
    assert body_of(make()) == b""


@every_way_out
def test_an_empty_chunk_does_not_end_the_body(body_of: Callable[[object], bytes]) -> None:
    assert body_of(iter([b"", b"a", b"", "", b"b", b""])) == b"ab"


@every_way_out
@pytest.mark.parametrize("file", [SyncFile, AsyncFile])
def test_a_file_is_read_in_blocks_of_64_kib_and_never_by_lines(
    file: type[SyncFile | AsyncFile], body_of: Callable[[object], bytes]
) -> None:
    content = b"line\n" * 30_000
    opened = file(content)
    assert body_of(opened) == content
    assert set(opened.sizes) == {65536}
    assert len(opened.sizes) == 4


@every_way_out
def test_a_file_on_disk_is_closed_after_it_was_read(tmp_path: Path, body_of: Callable[[object], bytes]) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"x" * 100_000)
    opened = path.open("rb")
    assert body_of(opened) == b"x" * 100_000
    assert opened.closed


def test_iter_bytes_and_aiter_bytes_take_a_response_and_yield_its_body() -> None:
    assert by_iter_bytes(sa.ndjson([1, "a"])) == b'1\n"a"\n'
    assert by_aiter_bytes(sa.ndjson([1, "a"])) == b'1\n"a"\n'


def test_iter_bytes_keeps_chunks_apart() -> None:
    assert list(sa.iter_bytes(generator())) == [b"a", b"b", b"1"]
    assert list(sa.iter_bytes(async_generator())) == [b"a", b"b", b"1"]


def test_aiter_bytes_keeps_chunks_apart() -> None:
    async def collect(source: object) -> list[bytes]:
        return [chunk async for chunk in sa.aiter_bytes(source)]

    assert asyncio.run(collect(generator())) == [b"a", b"b", b"1"]
    assert asyncio.run(collect(async_generator())) == [b"a", b"b", b"1"]


def plain_function() -> bytes:
    return b"a"


async def coroutine_function() -> bytes:
    return b"a"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (generator, "expected a generator, got generator function generator; call it"),
        (async_generator, "expected a generator, got generator function async_generator; call it"),
        (functools.partial(generator), "expected a generator, got generator function generator; call it"),
        (plain_function, "expected something to stream, got plain_function itself; call it"),
        (coroutine_function, "expected something to stream, got coroutine_function itself; call it"),
        (Iterates, "expected something to stream, got Iterates itself; call it"),
        (Iterates().__iter__, "expected something to stream, got __iter__ itself; call it"),
        (object(), "expected bytes, text, a mapping, an iterable or async iterable of chunks"),
        (sa.Response(b""), "got a Response; return it as it is, or give it to stream_response"),
    ],
)
def test_response_of_content_that_cannot_be_streamed_raises_source_error(content: object, problem: str) -> None:
    with pytest.raises(SourceError) as caught:
        sa.Response(content)
    assert problem in str(caught.value)
    assert isinstance(caught.value, TypeError)


@every_way_out
def test_result_of_an_awaitable_that_cannot_be_streamed_raises_source_error(body_of: Callable[[object], bytes]) -> None:
    with pytest.raises(SourceError, match="got generator function generator; call it"):
        body_of(awaited(generator))


def test_an_awaitable_of_one_value_is_a_document_like_the_value_itself() -> None:
    answer = call_wsgi(sa.Response(awaited({"a": 1})))
    assert (answer.header("Content-Type"), answer.body) == (["application/json"], b'{"a":1}')
    assert answer.header("Content-Length") == ["7"]


@every_way_out
def test_an_awaitable_that_raises_is_the_error_of_the_response(body_of: Callable[[object], bytes]) -> None:
    async def fails() -> object:
        raise LookupError("no such row")

    with pytest.raises(LookupError, match="no such row"):
        body_of(fails())
