"""Files of WSGI applications under ASGI: `wsgi.file_wrapper` reads a file in large blocks, and a pipe as it comes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from flask import Flask, Response, send_file

import stream_adapter as sa
from stream_adapter._adapters.file_wrapper import FileWrapper
from stream_adapter.types import Environ, StartResponse
from tests.adapters.asgi_client import messages_of

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(CONTENT)
    return path


def sent_by(app: Flask, **headers: str) -> tuple[int, dict[str, str], bytes]:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    start, *blocks = messages_of(sa.to_asgi(app), headers=pairs, path="/")
    fields = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return start["status"], fields, b"".join(block["body"] for block in blocks)


def app_of(path: Path) -> Flask:
    app = Flask(__name__)

    @app.get("/")
    def view() -> Response:  # pyright: ignore[reportUnusedFunction]  # the app calls it
        return send_file(path, conditional=True)

    return app


def test_file_of_flask_is_sent_whole_in_large_blocks(path: Path) -> None:
    status, headers, body = sent_by(app_of(path))
    assert (status, headers["content-length"], body) == (200, str(len(CONTENT)), CONTENT)
    sizes: list[int] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        file = path.open("rb")
        file.seek(1000)
        wrapped = environ["wsgi.file_wrapper"](file)
        sizes.extend(map(len, wrapped))
        wrapped.close()
        assert file.closed
        return []

    messages_of(sa.to_asgi(app))
    assert sum(sizes) == len(CONTENT) - 1000
    assert len(sizes) == 4


def test_range_of_flask_is_the_part_that_was_asked_for(path: Path) -> None:
    status, headers, body = sent_by(app_of(path), range="bytes=300000-300009")
    assert (status, headers["content-length"]) == (206, "10")
    assert body == CONTENT[300000:300010]


def test_file_of_a_response_is_sent_whole(path: Path) -> None:
    start, *blocks = messages_of(sa.to_asgi(sa.file(path).wsgi))
    assert start["status"] == 200
    assert b"".join(block["body"] for block in blocks) == CONTENT


def test_pipe_is_read_as_it_comes() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as file, os.fdopen(writer, "wb", buffering=0) as end:
        wrapped = FileWrapper(file, 100)
        end.write(b"some")
        assert next(wrapped) == b"some"


class Reads(io.BytesIO):
    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.sizes: list[Any] = []

    def read(self, size: int | None = -1, /) -> bytes:
        self.sizes.append(size)
        return super().read(size)


def test_object_without_a_descriptor_is_read_in_the_size_that_was_asked_for() -> None:
    file: BinaryIO = Reads(b"abcde")
    assert list(FileWrapper(file, 2)) == [b"ab", b"cd", b"e"]


def test_wrapper_has_of_the_file_only_what_ranges_need() -> None:
    file = io.BytesIO(b"abc")
    wrapped = FileWrapper(file)
    assert wrapped.seekable()
    assert wrapped.seek(1) == wrapped.tell() == 1
    assert not hasattr(wrapped, "write")
