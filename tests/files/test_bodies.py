"""What goes with a file: names, types, codings; who sends it; and how it is closed when that goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import io
import mimetypes
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from werkzeug.http import parse_options_header

import stream_adapter as sa
from stream_adapter.errors import FileChangedError
from stream_adapter.files import XAccelRedirect, XSendfile
from stream_adapter.integration import AsyncBody, RequestHead, ServerFile, SyncBody
from stream_adapter.types import Environ, Message, Scope
from tests.support.gate import BOUND
from tests.support.interfaces import Call, asgi_channel, call_asgi, either_interface

MIB = 1 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(b"0123456789abcdef" * (MIB // 16))
    return path


def open_files(path: Path) -> int:
    """Count the descriptors that are this file."""
    links = (f"/proc/self/fd/{descriptor}" for descriptor in os.listdir("/proc/self/fd"))
    return sum(os.path.exists(link) and os.path.realpath(link) == str(path.resolve()) for link in links)


TYPES = {
    "page.html": "text/html; charset=utf-8",
    "a.txt": "text/plain; charset=utf-8",
    "a.PNG": "image/png",
    "a.tar.gz": "application/gzip",
    "a.svgz": "application/gzip",
    "a.txt.bz2": "application/x-bzip2",
    "a.unheard-of": "application/octet-stream",
    "noname": "application/octet-stream",
}


@either_interface
@pytest.mark.parametrize(("name", "media_type"), TYPES.items(), ids=TYPES)
def test_the_type_is_guessed_by_the_name_and_never_sniffed(
    call: Call, tmp_path: Path, name: str, media_type: str
) -> None:
    (tmp_path / name).write_bytes(b"<html>")
    answer = call(sa.file(tmp_path / name))
    assert answer.header("Content-Type") == [media_type]
    assert answer.header("X-Content-Type-Options") == ["nosniff"]
    assert answer.header("Content-Encoding") == []


FILENAMES = {
    "data:text/html,holiday.png": "image/png",
    "data:image/svg+xml;x,a.png": "image/png",
    "data:text/html,": "application/octet-stream",
    "data:text/html;base64,a": "application/octet-stream",
    "DATA:text/html,x.jpeg": "image/jpeg",
    "data:a/b c,x.png": "image/png",
    "a.html\r\nSet-Cookie: x=1.png": "image/png",
    "a.png\r\nSet-Cookie: x=1": "application/octet-stream",
    "x.data:text/html,y": "application/octet-stream",
    "http://example.org/a.html": "text/html; charset=utf-8",
    "a.html?x=.png": "image/png",
    "a.html#": "application/octet-stream",
    "a.html ": "application/octet-stream",
    "a.html\0": "application/octet-stream",
    "a.html.": "application/octet-stream",
    ".html": "application/octet-stream",
    "a.\u202egnp": "application/octet-stream",
    "a.ht\udcffml": "application/octet-stream",
    "a.png.gz": "application/gzip",
    "a.html/..": "application/octet-stream",
    "a.html/b": "application/octet-stream",
    "a." + "x" * 100_000: "application/octet-stream",
    "": "application/octet-stream",
}


@either_interface
@pytest.mark.parametrize("disposition", ["inline", "attachment"])
@pytest.mark.parametrize(("name", "media_type"), FILENAMES.items(), ids=lambda name: repr(name)[:40])
def test_uploaded_filename_is_typed_by_its_last_extension_only(
    call: Call, name: str, media_type: str, disposition: str
) -> None:
    answer = call(sa.file(io.BytesIO(b"<script>"), filename=name, disposition=disposition))
    assert (answer.status, answer.header("Content-Type")) == (200, [media_type])


def test_guessed_type_that_is_not_a_media_type_becomes_octet_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def guess(_name: str, *, strict: bool) -> tuple[str, None]:
        return f"text/html\r\nX: {strict}", None

    monkeypatch.setattr(mimetypes, "guess_type", guess)
    assert sa.file(io.BytesIO(b""), filename="a.odd").media_type == "application/octet-stream"


CACHING: dict[str, tuple[dict[str, str], list[str]]] = {
    "by default": ({}, ["no-cache"]),
    "of the user's own": ({"cache-control": "max-age=60"}, ["max-age=60"]),
    "by Expires": ({"Expires": "Thu, 01 Dec 2050 16:00:00 GMT"}, []),
}


@either_interface
@pytest.mark.parametrize(("headers", "expected"), CACHING.values(), ids=CACHING)
def test_a_cache_asks_before_it_answers_with_a_file(
    call: Call, large: Path, headers: dict[str, str], expected: list[str]
) -> None:
    whole = call(sa.file(large, headers=headers))
    part = call(sa.file(large, headers=headers), headers=[("Range", "bytes=0-1")])
    same = call(sa.file(large, headers=headers), headers=[("If-None-Match", "*")])
    assert [answer.status for answer in (whole, part, same)] == [200, 206, 304]
    for answer in (whole, part, same):
        assert answer.header("Cache-Control") == expected


@either_interface
@pytest.mark.parametrize(
    "options",
    [{"media_type": "application/x-own"}, {"headers": {"Content-Type": "application/x-own"}}],
    ids=["media_type", "header"],
)
def test_media_type_of_the_user_is_sent(call: Call, large: Path, options: dict[str, Any]) -> None:
    assert call(sa.file(large, **options)).header("Content-Type") == ["application/x-own"]


@either_interface
def test_media_type_none_is_guessed_from_the_file_name(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"image")
    assert call(sa.file(tmp_path / "a.png", media_type=None)).header("Content-Type") == ["image/png"]


NAMES = ["report.pdf", "naïve — 2026.pdf", 'a"b\\c.txt', "a\r\nSet-Cookie: x=1", "../../etc/passwd", "🎉.png", "\0", ""]


@either_interface
@pytest.mark.parametrize("name", NAMES)
def test_any_name_makes_a_safe_disposition(call: Call, large: Path, name: str) -> None:
    (value,) = call(sa.file(large, filename=name)).header("Content-Disposition")
    disposition, parameters = parse_options_header(value)
    assert disposition == "attachment"
    assert parameters["filename"]
    assert {"\r", "\n", "\0", "/", "\\"}.isdisjoint(parameters["filename"])


@either_interface
def test_a_disposition_is_sent_if_it_is_asked_for(call: Call, large: Path) -> None:
    assert call(sa.file(large)).header("Content-Disposition") == []
    assert call(sa.file(large, disposition="attachment")).header("Content-Disposition") == [
        "attachment; filename=large.bin"
    ]
    assert call(sa.file(large, disposition="inline", filename="x.txt")).header("Content-Disposition") == [
        "inline; filename=x.txt"
    ]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    for suffix, content in {"": b"plain", ".br": b"brotli", ".zst": b"zstandard", ".gz": b"gzip"}.items():
        (tmp_path / f"app.js{suffix}").write_bytes(content)
    return tmp_path / "app.js"


CODINGS = [
    (None, None, b"plain"),
    ("", None, b"plain"),
    ("gzip", "gzip", b"gzip"),
    ("gzip, deflate, br, zstd", "br", b"brotli"),
    ("gzip, zstd", "zstd", b"zstandard"),
    ("gzip;q=1.0, br;q=0.5", "gzip", b"gzip"),
    ("br;q=0, *", "zstd", b"zstandard"),
    ("*;q=0", None, b"plain"),
    ("identity", None, b"plain"),
    ("identity, gzip;q=0.5", None, b"plain"),
    ("identity;q=0.1, gzip;q=0.5", "gzip", b"gzip"),
    ("deflate", None, b"plain"),
]


@either_interface
@pytest.mark.parametrize(("accepted", "coding", "content"), CODINGS)
def test_a_client_gets_the_sibling_that_it_reads_best(
    call: Call, script: Path, accepted: str | None, coding: str | None, content: bytes
) -> None:
    asked = [] if accepted is None else [("Accept-Encoding", accepted)]
    answer = call(sa.file(script, precompressed=True, headers={"Vary": "Cookie"}), headers=asked)
    assert (answer.status, answer.body) == (200, content)
    assert answer.header("Content-Encoding") == ([] if coding is None else [coding])
    assert answer.header("Content-Type") == ["text/javascript; charset=utf-8"]
    assert answer.header("Vary") == ["Cookie, Accept-Encoding"]


@either_interface
def test_each_coding_has_a_tag_of_its_own_and_ranges_of_its_own(call: Call, script: Path) -> None:
    response = sa.file("app.js", root=script.parent, precompressed=True, headers={"ETag": '"v1"'})
    tags = {call(response, headers=[("Accept-Encoding", coding)]).header("ETag")[0] for coding in ("br", "gzip", "x")}
    assert tags == {'"v1"', '"v1-br"', '"v1-gzip"'}
    part = call(response, headers=[("Accept-Encoding", "br"), ("Range", "bytes=1-2")])
    assert (part.status, part.body) == (206, b"ro")
    unchanged = call(response, headers=[("Accept-Encoding", "br"), ("If-None-Match", '"v1-br"')])
    assert (unchanged.status, unchanged.header("Vary")) == (304, ["Accept-Encoding"])
    assert call(response, headers=[("Accept-Encoding", "gzip"), ("If-None-Match", '"v1-br"')]).status == 200


@either_interface
def test_without_its_original_a_sibling_is_not_sent(call: Call, script: Path) -> None:
    script.unlink()
    assert call(sa.file(script, precompressed=True), headers=[("Accept-Encoding", "br")]).status == 404


@either_interface
def test_offload_header_names_the_file_to_send(call: Call, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a ü.txt").write_bytes(b"never read")
    nginx = XAccelRedirect("/protected/", tmp_path)
    answer = call(sa.file("sub/a ü.txt", root=tmp_path, offload=nginx, filename="b.txt"))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("X-Accel-Redirect") == ["/protected/sub/a%20%C3%BC.txt"]
    assert answer.header("Content-Disposition") == ["attachment; filename=b.txt"]
    assert answer.header("Content-Length") == answer.header("Accept-Ranges") == []
    answer = call(sa.file(tmp_path / "sub" / "a ü.txt", offload=XSendfile()))
    assert answer.header("X-Sendfile") == [f"{tmp_path}/sub/a%20%C3%BC.txt"]
    assert call(sa.file("nothing", root=tmp_path, offload=nginx)).status == 404
    assert call(sa.file("/etc/passwd", offload=nginx)).status == 404


@either_interface
@pytest.mark.skipif(sys.platform == "darwin", reason="the file system takes names in UTF-8 only")
def test_offload_header_holds_a_name_that_is_not_utf_8(call: Call, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_bytes(b"never read")
    answer = call(sa.file(name, root=tmp_path, offload=XAccelRedirect("/protected/", tmp_path)))
    assert answer.header("X-Accel-Redirect") == ["/protected/caf%E9.txt"]
    answer = call(sa.file(name, root=tmp_path, offload=XSendfile()))
    assert answer.header("X-Sendfile") == [f"{tmp_path}/caf%E9.txt"]


@either_interface
def test_a_file_that_changes_while_it_is_sent_breaks_off(call: Call, large: Path) -> None:
    class Truncating(io.BytesIO):
        """A file object that turns out to be shorter than it said."""

        def read(self, count: int | None = -1, /) -> bytes:
            block = super().read(count)
            self.truncate(MIB // 2)
            return block

    answer = call(sa.file(Truncating(large.read_bytes())))
    assert isinstance(answer.error, FileChangedError)
    assert not answer.complete
    assert len(answer.body) < MIB


@either_interface
def test_defaults_keep_a_file_a_file(call: Call, large: Path) -> None:
    filled = sa.file(large).with_defaults(media_type="text/csv", headers={"X-Default": "1"}, strict=True)
    answer = call(filled, headers=[("Range", "bytes=1-2")])
    assert (answer.status, answer.body, answer.header("X-Default")) == (206, b"12", ["1"])
    assert answer.header("Content-Type") == ["application/octet-stream"]


@either_interface
def test_on_close_receives_how_much_was_sent(call: Call, large: Path) -> None:
    summaries: list[sa.StreamSummary] = []
    call(sa.file(large, on_close=summaries.append))
    assert [(summary.reason, summary.bytes_sent) for summary in summaries] == [("done", MIB)]


def sent_over_asgi(response: sa.Response, *, extensions: dict[str, object]) -> list[Message]:
    async def send_it() -> list[Message]:
        receive, send, sent = asgi_channel()
        scope: Scope = {"type": "http", "method": "GET", "headers": [], "extensions": extensions}
        await asyncio.wait_for(response.asgi(scope, receive, send), BOUND)
        return sent

    return asyncio.run(send_it())


PATHSEND: dict[str, object] = {"http.response.pathsend": {}}


def test_server_with_pathsend_is_given_a_whole_file(large: Path) -> None:
    start, path = sent_over_asgi(sa.file(large), extensions=PATHSEND)
    assert (b"content-length", str(MIB).encode()) in start["headers"]
    assert path == {"type": "http.response.pathsend", "path": str(large)}
    assert open_files(large) == 0


Make = Callable[[Path], sa.Response]

NOT_LEFT_TO_A_SERVER: dict[str, Make] = {
    "below a root": lambda path: sa.file(path.name, root=path.parent),  # it could be another by then
    "watched": lambda path: sa.file(path, on_close=lambda _: None),
    "timed": lambda path: sa.file(path, limits=sa.Limits(total_timeout=60)),
    "an open file": lambda path: sa.file(path.open("rb")),
}


@pytest.mark.parametrize("make", NOT_LEFT_TO_A_SERVER.values(), ids=NOT_LEFT_TO_A_SERVER)
def test_server_with_pathsend_is_not_given_ranges_or_changing_files(large: Path, make: Make) -> None:
    messages = sent_over_asgi(make(large), extensions=PATHSEND)
    assert {message["type"] for message in messages} == {"http.response.start", "http.response.body"}
    assert sum(len(message.get("body", b"")) for message in messages) == MIB
    assert open_files(large) == 0


def through_wrapper(response: sa.Response, **environ: object) -> Any:
    """Return what a WSGI server is given, which knows wsgiref's wrapper."""

    def start_response(*_: object) -> Callable[[bytes], object]:
        return lambda _: None

    full: Environ = {"REQUEST_METHOD": "GET", "wsgi.file_wrapper": FileWrapper, **environ}
    return response.wsgi(full, start_response)


def test_a_wsgi_server_is_handed_a_whole_file_and_closes_it(large: Path) -> None:
    iterable = through_wrapper(sa.file(large))
    assert isinstance(iterable, FileWrapper)
    assert b"".join(iterable) == large.read_bytes()
    assert open_files(large) == 1
    iterable.close()
    assert open_files(large) == 0


ITERATED: dict[str, tuple[dict[str, Any], dict[str, object]]] = {
    "a range": ({}, {"HTTP_RANGE": "bytes=1-900000"}),
    "watched": ({"on_close": id}, {}),
    "no wrapper": ({}, {"wsgi.file_wrapper": None}),
}


@pytest.mark.parametrize(("options", "environ"), ITERATED.values(), ids=ITERATED)
def test_wsgi_file_wrapper_is_not_used_for_other_files(
    large: Path, options: dict[str, Any], environ: dict[str, object]
) -> None:
    body = through_wrapper(sa.file(large, **options), **environ)
    assert isinstance(body, SyncBody)
    body.close()
    assert open_files(large) == 0


def test_server_reads_no_further_than_the_files_end_and_gets_an_error_when_it_changed(large: Path) -> None:
    def handed() -> ServerFile:
        resolved = sa.file(large).resolve()
        assert resolved.file is not None
        return ServerFile(resolved.file, SyncBody(resolved).close)

    file = handed()
    assert file.seek(-4, os.SEEK_END) == MIB - 4
    assert (file.read(100), file.read(), file.tell()) == (b"cdef", b"", MIB)
    assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == MIB
    file.close()
    file = handed()
    with large.open("ab") as more:
        more.write(b"more")
    assert len(file.read()) == MIB
    with pytest.raises(FileChangedError):
        file.close()
    assert open_files(large) == 0
    file = handed()
    os.truncate(large, 10)
    with pytest.raises(FileChangedError):
        file.read()
    with pytest.raises(FileChangedError):
        file.close()
    assert open_files(large) == 0


def test_a_request_that_is_cancelled_while_its_file_is_opened_leaves_nothing_open(large: Path) -> None:
    async def cancel(turns: int) -> None:
        task = asyncio.create_task(sa.file(large).aresolve())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # it may have been faster
            await AsyncBody(await task).aclose()

    async def cancel_at_every_turn() -> None:
        for turns in [*range(1, 20)] * 5:
            await cancel(turns)
        deadline = time.monotonic() + BOUND
        while open_files(large):  # a thread may be about to open one still
            assert time.monotonic() < deadline, "a file is left open"
            await asyncio.sleep(0)

    asyncio.run(cancel_at_every_turn())


def test_the_loop_goes_on_while_a_path_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path on a slow network: its opening ends only after the loop has run something else."""
    (tmp_path / "a").write_bytes(b"content")
    loop_ran, real_open = threading.Event(), os.open

    def slow_open(*args: Any, **kwargs: Any) -> int:
        assert loop_ran.wait(BOUND), "the loop stood still"
        return real_open(*args, **kwargs)

    async def serve() -> bytes:
        monkeypatch.setattr(os, "open", slow_open)
        resolving = asyncio.create_task(sa.file(tmp_path / "a").aresolve(RequestHead()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        loop_ran.set()
        body = AsyncBody(await resolving)
        return b"".join([block async for block in body])

    assert asyncio.run(serve()) == b"content"


def test_an_error_before_the_first_byte_is_the_servers_to_answer(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            raise OSError(5, "the disk has failed")

    file = Failing(b"x" * 10)
    answer = call_asgi(sa.file(file))
    assert (answer.status, answer.body) == (None, b"")
    assert isinstance(answer.error, OSError)
    assert file.closed
