"""File objects of every kind: sent from where they stand, and closed once, however it ends."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiofiles.threadpool  # type: ignore[import-untyped]  # it has no types
import anyio
import fsspec  # type: ignore[import-untyped]  # it has no types
import pytest

import stream_adapter as sa
from stream_adapter.errors import SourceError, StreamConsumedError
from stream_adapter.files import XSendfile
from stream_adapter.formats import Text
from stream_adapter.integration import AsyncBody, SyncBody
from tests.support.interfaces import Call, either_interface

_filesystem: Callable[[str], Any] = getattr(fsspec, "filesystem")  # noqa: B009  # by name, for it has no types
CONTENT = bytes(range(256)) * 4096  # 1 MiB: four blocks
Opener = Callable[[Path], Any]


def temporary(kind: Callable[..., Any]) -> Opener:
    def opened(_: Path) -> Any:
        file = kind()
        file.write(CONTENT)
        file.seek(0)
        return file

    return opened


def in_memory(_: Path) -> Any:
    filesystem: Any = _filesystem("memory")
    filesystem.pipe("/content", CONTENT)
    return filesystem.open("/content", "rb")


def zipped(path: Path) -> Any:
    with zipfile.ZipFile(path.parent / "z.zip", "w") as archive:
        archive.write(path, "content")
    with zipfile.ZipFile(path.parent / "z.zip") as archive:
        return archive.open("content")  # the archive's own file is closed with its last member


SEEKABLE: dict[str, Opener] = {
    "open": lambda path: path.open("rb"),
    "open, unbuffered": lambda path: path.open("rb", buffering=0),
    "open, to read and write": lambda path: path.open("r+b"),
    "BytesIO": lambda _: io.BytesIO(CONTENT),
    "TemporaryFile": temporary(tempfile.TemporaryFile),
    "NamedTemporaryFile": temporary(tempfile.NamedTemporaryFile),
    "SpooledTemporaryFile": temporary(tempfile.SpooledTemporaryFile),
    "fsspec, local": lambda path: _filesystem("file").open(str(path), "rb"),
    "fsspec, memory": in_memory,
    "zipfile": zipped,
    "anyio": lambda path: anyio.wrap_file(path.open("rb")),
    "aiofiles": lambda path: aiofiles.threadpool.wrap(path.open("rb")),
}


class Counted:
    """Passes everything on to a file object, and counts how often it is closed."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.closes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> Any:
        self.closes += 1
        return self._file.close()


class CountedAsync(Counted):
    async def read(self, count: int) -> bytes:
        block: bytes = await self._file.read(count)
        return block

    async def close(self) -> None:
        self.closes += 1
        await (self._file.aclose() if hasattr(self._file, "aclose") else self._file.close())

    aclose = close


def counted(name: str, path: Path) -> Counted:
    file = SEEKABLE[name](path)
    return (CountedAsync if name in {"anyio", "aiofiles"} else Counted)(file)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "content.bin"
    path.write_bytes(CONTENT)
    return path


every_seekable = pytest.mark.parametrize("name", SEEKABLE)


@either_interface
@every_seekable
def test_a_file_object_is_sent_whole_with_its_length_and_closed_once(call: Call, path: Path, name: str) -> None:
    file = counted(name, path)
    answer = call(sa.file(file))
    assert (answer.status, answer.complete, answer.error) == (200, True, None)
    assert answer.body == CONTENT
    assert answer.header("Content-Length") == [str(len(CONTENT))]
    assert answer.header("Accept-Ranges") == ["bytes"]
    assert file.closes == 1


@either_interface
@every_seekable
@pytest.mark.parametrize(
    ("method", "headers", "status", "body"),
    [
        ("GET", {"Range": "bytes=-300000"}, 206, CONTENT[-300000:]),
        ("GET", {"Range": "bytes=7-11"}, 206, CONTENT[7:12]),
        ("GET", {"Range": f"bytes={len(CONTENT)}-"}, 416, b""),
        ("GET", {"If-None-Match": "*"}, 304, b""),
        ("GET", {"If-Match": '"x"'}, 412, b""),
        ("HEAD", {}, 200, b""),
    ],
    ids=["a range", "a small range", "no such range", "not modified", "a failed condition", "head"],
)
def test_every_answer_closes_the_file_object_once(
    call: Call, path: Path, name: str, method: str, headers: dict[str, str], status: int, body: bytes
) -> None:
    file = counted(name, path)
    answer = call(sa.file(file), method=method, headers=[*headers.items()])
    assert (answer.status, answer.body) == (status, body)
    assert file.closes == 1


@either_interface
@every_seekable
def test_file_object_is_sent_from_its_position(call: Call, path: Path, name: str) -> None:
    file = SEEKABLE[name](path)
    seeking = file.seek(len(CONTENT) - 5)
    if asyncio.iscoroutine(seeking):
        asyncio.run(_awaited(seeking))
    answer = call(sa.file(file), headers=[("Range", "bytes=1-2")])
    assert (answer.status, answer.body) == (206, CONTENT[-4:-2])
    assert answer.header("Content-Range") == ["bytes 1-2/5"]


async def _awaited(awaitable: Any) -> None:
    await awaitable


@either_interface
@every_seekable
def test_client_disconnect_closes_the_file_object_once(call: Call, path: Path, name: str) -> None:
    file = counted(name, path)
    call(sa.file(file), leave_after=1)
    assert file.closes == 1


@every_seekable
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_body_that_is_never_started_closes_the_file_object_once(path: Path, name: str, interface: str) -> None:
    file = counted(name, path)
    if interface == "wsgi":
        SyncBody(sa.file(file).resolve()).close()
    else:
        asyncio.run(_resolve_and_close(sa.file(file)))
    assert file.closes == 1


async def _resolve_and_close(response: sa.Response) -> None:
    await AsyncBody(await response.aresolve()).aclose()


@either_interface
def test_a_pipe_is_sent_to_its_end_without_a_length_or_ranges(call: Call) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"0123456789")
    os.close(writing)
    file = Counted(os.fdopen(reading, "rb"))
    answer = call(sa.file(file, media_type="text/plain"), headers=[("Range", "bytes=1-2")])
    assert (answer.status, answer.body, answer.complete) == (200, b"0123456789", True)
    for name in ("Content-Length", "Accept-Ranges", "ETag"):
        assert answer.header(name) == []
    assert file.closes == 1


@either_interface
def test_file_object_of_unknown_size_is_sent_complete(call: Call, path: Path) -> None:
    packed = io.BytesIO(gzip.compress(CONTENT))
    assert call(sa.file(gzip.GzipFile(fileobj=packed))).body == CONTENT


@either_interface
def test_second_response_of_a_file_object_raises_stream_consumed_error(call: Call) -> None:
    response = sa.file(io.BytesIO(b"once"))
    assert call(response).body == b"once"
    assert isinstance(call(response).error, StreamConsumedError)


@either_interface
def test_a_path_is_sent_as_often_as_it_is_asked_for(call: Call, path: Path) -> None:
    response = sa.file(path)
    assert [call(response).body for _ in range(3)] == [CONTENT] * 3


@either_interface
def test_a_temporary_file_that_was_not_flushed_is_sent_whole(call: Call) -> None:
    with tempfile.TemporaryFile("w+b", buffering=1 << 20) as file:
        file.write(b"still in the buffer")
        file.seek(0)
        file.write(b"STILL")
        file.seek(0)
        assert call(sa.file(file)).body == b"STILL in the buffer"


@either_interface
def test_the_name_of_a_file_object_says_its_type(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"<p>")
    assert call(sa.file(path.open("rb"))).header("Content-Type") == ["text/html; charset=utf-8"]
    assert call(sa.file(io.BytesIO())).header("Content-Type") == ["application/octet-stream"]


MISTAKES: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "text in memory": (io.StringIO("text"), {}, SourceError, r"got StringIO of text; open it with 'rb'"),
    "a path in bytes": (b"/etc/passwd", {}, SourceError, r"expected a path or a binary file object, got bytes"),
    "a descriptor": (7, {}, SourceError, r"expected a path or a binary file object, got int"),
    "nothing": (None, {}, SourceError, r"got NoneType"),
    "a root for an object": (
        io.BytesIO(),
        {"root": "/srv"},
        TypeError,
        r"root is for paths, and this is a file object",
    ),
    "siblings of an object": (io.BytesIO(), {"precompressed": True}, TypeError, r"precompressed is for paths"),
    "a root that is empty": ("a", {"root": ""}, ValueError, r"root: expected the path of a directory, got ''"),
    "a file name that is not text": ("a", {"filename": 7}, TypeError, r"filename: expected text .*, got int"),
    "a front server by its name": (
        "a",
        {"offload": "nginx"},
        TypeError,
        r"offload: expected XAccelRedirect or XSendfile, got str",
    ),
    "siblings by a front server": (
        "a",
        {"offload": XSendfile(), "precompressed": True},
        ValueError,
        r"precompressed: a front server drops the Content-Encoding",
    ),
    "a root that is not a path": ("a", {"root": 7}, TypeError, r"root: expected the path of a directory, got int"),
    "a format": ("a", {"format": Text()}, TypeError, r"format is not an option of it"),
    "an unknown option": ("a", {"colour": "red"}, TypeError, r"unknown option 'colour'"),
    "a disposition": ("a", {"disposition": "sideways"}, ValueError, r"expected 'attachment' or 'inline'"),
    "a tag without quotes": ("a", {"headers": {"ETag": "v1"}}, ValueError, r"ETag: expected .*\"v1\".*, got 'v1'"),
    "a tag in a list": ("a", {"headers": {"etag": '"a", "b"'}}, ValueError, r"ETag: expected"),
    "a media type": ("a", {"media_type": "pdf"}, ValueError, r"expected type/subtype"),
}


@pytest.mark.parametrize(("content", "options", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_invalid_option_is_an_error_at_the_call(
    content: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sa.file(content, **options)


def test_a_file_that_was_opened_as_text_is_refused(path: Path) -> None:
    with path.open(encoding="utf-8") as text, pytest.raises(SourceError, match=r"TextIOWrapper of text"):
        sa.file(text)
