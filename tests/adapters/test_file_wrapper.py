"""Files of WSGI applications under ASGI: `wsgi.file_wrapper` reads a file in large blocks, and a pipe as it comes."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from flask import Flask, Response, send_file

import stream_adapter as sa
from stream_adapter._adapters.file_wrapper import FileWrapper
from stream_adapter.types import ASGIApp, Environ, Message, StartResponse, WSGIApp
from tests.adapters.asgi_client import exchange, http_scope, messages_of
from tests.support.gate import BOUND

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


PATHSEND: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}


def wsgi_of(file: Any, *fields: tuple[str, str]) -> WSGIApp:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(fields))
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
        return wrapped

    return app


LENGTH = ("Content-Length", str(len(CONTENT)))


def test_server_that_sends_by_path_is_given_the_file_of_flask(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    start, sent = messages_of(sa.to_asgi(app_of(path)), **PATHSEND)
    assert (b"content-length", str(len(CONTENT)).encode()) in [
        (name.lower(), value) for name, value in start["headers"]
    ]
    assert sent == {"type": "http.response.pathsend", "path": str(path)}
    assert not caplog.records


def test_server_that_sends_by_path_is_given_the_file_of_a_response(path: Path) -> None:
    _, sent = messages_of(sa.to_asgi(sa.file(path).wsgi), **PATHSEND)
    assert sent == {"type": "http.response.pathsend", "path": str(path)}


def test_file_that_is_sent_by_path_is_closed_after_it_was_sent(path: Path) -> None:
    file = path.open("rb")

    async def ask() -> None:
        async with exchange(sa.to_asgi(wsgi_of(file, LENGTH)), **PATHSEND) as asked:
            assert (await asked.next())["type"] == "http.response.start"
            assert (await asked.next())["type"] == "http.response.pathsend"
            await asked.end()

    asyncio.run(ask())
    assert file.closed


def test_relative_path_is_given_as_an_absolute_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    file = open(path.name, "rb")  # noqa: SIM115  # a name that is relative; the application closes it
    _, sent = messages_of(sa.to_asgi(wsgi_of(file, LENGTH)), **PATHSEND)
    assert sent["path"] == str(path)


def replaced(path: Path) -> Any:
    file = path.open("rb")
    path.unlink()
    path.write_bytes(b"of another" * 102_400)
    return file


def after_a_byte(path: Path) -> Any:
    file = path.open("rb")
    file.read(1)
    return file


NOT_BY_PATH: dict[str, Callable[[Path], ASGIApp]] = {
    "replaced": lambda path: sa.to_asgi(wsgi_of(replaced(path), LENGTH)),
    "without a length": lambda path: sa.to_asgi(wsgi_of(path.open("rb"))),
    "with another length": lambda path: sa.to_asgi(wsgi_of(path.open("rb"), ("Content-Length", "1000"))),
    "from its second byte": lambda path: sa.to_asgi(wsgi_of(after_a_byte(path))),
    "by its descriptor": lambda path: sa.to_asgi(wsgi_of(os.fdopen(os.open(path, os.O_RDONLY), "rb"), LENGTH)),
    "of another class": lambda path: sa.to_asgi(wsgi_of(Reads(path.read_bytes()), LENGTH)),
    "below a root": lambda path: sa.to_asgi(sa.file(path.name, root=path.parent).wsgi),
    "watched": lambda path: sa.to_asgi(wsgi_of(path.open("rb"), LENGTH), on_close=lambda _: None),
    "timed": lambda path: sa.to_asgi(wsgi_of(path.open("rb"), LENGTH), limits=sa.Limits(total_timeout=60)),
    "with a send timeout": lambda path: sa.to_asgi(wsgi_of(path.open("rb"), LENGTH), limits=sa.Limits(send_timeout=9)),
}


@pytest.mark.parametrize("make", NOT_BY_PATH.values(), ids=NOT_BY_PATH)
def test_server_that_sends_by_path_is_given_blocks_of_any_other_file(
    path: Path, make: Callable[[Path], ASGIApp]
) -> None:
    _, *blocks = messages_of(make(path), **PATHSEND)
    body = b"".join(block["body"] for block in blocks)
    assert body
    assert body in CONTENT


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_answer_without_a_body_is_not_sent_by_path(path: Path, method: str) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("304 Not Modified" if method == "GET" else "200 OK", [LENGTH])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
        return wrapped

    start, end = messages_of(sa.to_asgi(app), method=method, **PATHSEND)
    assert start["status"] in {200, 304}
    assert (end["type"], end["body"]) == ("http.response.body", b"")


class Counted:
    """A file that counts what is read of it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = 0
        self.has_mebibyte = threading.Event()

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()

    def read(self, count: int) -> bytes:
        block = self._file.read(count)
        self.size += len(block)
        if self.size >= 1 << 20:
            self.has_mebibyte.set()
        return block


def test_a_mebibyte_of_a_file_is_read_while_its_client_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(8 << 20))
    file, taken = Counted(path), 0

    async def ask() -> None:
        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            nonlocal taken
            if message["type"] == "http.response.start":
                assert await asyncio.to_thread(file.has_mebibyte.wait, BOUND)
            taken += len(message.get("body", b""))

        await sa.to_asgi(wsgi_of(file))(http_scope(), receive, send)

    asyncio.run(ask())
    assert taken == 8 << 20


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
