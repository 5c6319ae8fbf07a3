"""What was opened is what is named, described and sent, while something else changes the paths."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest

import stream_adapter as sa
from stream_adapter.errors import FileChangedError
from stream_adapter.files import Offload, XAccelRedirect, XSendfile
from stream_adapter.types import Message, Scope
from tests.support.gate import BOUND
from tests.support.interfaces import Call, asgi_channel, call_wsgi, either_interface
from tests.support.servers import granian

MIB = 1 << 20
OLD, NEW = b"o" * MIB, b"n" * (MIB + 1)
ANSWERS = 1500


@contextlib.contextmanager
def swapped(link: Path, *targets: Path) -> Generator[None]:
    """Point a link at each of the targets in turn, as fast as it goes."""
    done = threading.Event()

    def swap() -> None:
        fresh = link.with_name("fresh")
        while not done.is_set():
            for target in targets:
                fresh.symlink_to(target)
                fresh.rename(link)

    link.symlink_to(targets[0])
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def offloads(folder: Path) -> dict[str, tuple[Offload, str]]:
    """Return ways to tell a front server, and what each says of the file that may be sent."""
    return {
        "X-Sendfile": (XSendfile(), f"{folder}/served/inside.txt"),
        "X-Accel-Redirect": (XAccelRedirect("/files/", folder), "/files/served/inside.txt"),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "served" / "deep").mkdir(parents=True)
    (tmp_path / "served" / "inside.txt").write_bytes(b"inside")
    (tmp_path / "outside.txt").write_bytes(b"outside")
    return tmp_path


@pytest.mark.parametrize("field", ["X-Sendfile", "X-Accel-Redirect"])
def test_offload_header_names_the_file_that_was_checked_while_a_link_is_swapped(folder: Path, field: str) -> None:
    offload, named = offloads(folder)[field]
    seen: set[tuple[int | None, str]] = set()
    with swapped(folder / "served" / "link", folder / "served" / "inside.txt", folder / "outside.txt"):
        for _ in range(ANSWERS):
            answer = call_wsgi(sa.file("link", root=folder / "served", offload=offload))
            seen.add((answer.status, "".join(answer.header(field))))
    assert seen <= {(200, named), (404, "")}
    assert (200, named) in seen


def test_offload_header_of_a_path_without_root_is_its_resolved_path(folder: Path) -> None:
    (folder / "link").symlink_to("served")
    answer = call_wsgi(sa.file(folder / "link" / "inside.txt", offload=XSendfile()))
    assert answer.header("X-Sendfile") == [f"{folder}/served/inside.txt"]


def test_offload_header_is_not_made_by_looking_the_path_up_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, resolved = os.path.realpath, list[str]()

    def count(path: str, *, strict: bool = False) -> str:
        resolved.append(str(path))
        return resolve(path, strict=strict)

    monkeypatch.setattr(os.path, "realpath", count)
    call_wsgi(sa.file("inside.txt", root=folder / "served", offload=XSendfile()))
    assert [path for path in resolved if path.endswith("inside.txt")] == [f"{folder}/served/inside.txt"]


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="to pass through a directory takes the right to list it here")
def test_a_directory_that_may_be_searched_and_not_listed_is_passed_through(folder: Path) -> None:
    (folder / "served" / "deep" / "a.txt").write_bytes(b"deep")
    (folder / "served" / "deep").chmod(0o111)
    try:
        assert call_wsgi(sa.file("deep/a.txt", root=folder / "served")).body == b"deep"
    finally:
        (folder / "served" / "deep").chmod(0o755)


def replace(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_bytes(NEW)
    fresh.rename(path)


def write_into(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


CHANGES: dict[str, Callable[[Path], object]] = {
    "replaced": replace,
    "written to": write_into,
    "removed": Path.unlink,
    "truncated": lambda path: os.truncate(path, 10),
}


def sent_while(path: Path, change: Callable[[Path], object], *, before: str) -> list[Message]:
    """Send a file to a server that sends by paths; make a change before it has taken a type of message."""

    async def send_it() -> list[Message]:
        receive, send, sent = asgi_channel()

        async def send_after(message: Message) -> None:
            if message["type"] == before:
                change(path)
            await send(message)

        scope: Scope = {"type": "http", "method": "GET", "headers": []}
        scope["extensions"] = {"http.response.pathsend": {}}
        try:
            await asyncio.wait_for(sa.file(path).asgi(scope, receive, send_after), BOUND)
        except FileChangedError:
            sent.append({"type": "broken"})
        return sent

    return asyncio.run(send_it())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("before", ["http.response.start", "http.response.pathsend"])
def test_pathsend_breaks_if_the_path_leads_to_another_file(
    tmp_path: Path, change: Callable[[Path], object], before: str
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(OLD)
    types = [message["type"] for message in sent_while(path, change, before=before)]
    assert types[-1] == "broken"
    assert ("http.response.pathsend" in types) == (before == "http.response.pathsend")


def test_pathsend_is_not_used_for_a_path_that_was_replaced_before_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(OLD)

    async def send_it() -> list[Message]:
        receive, send, sent = asgi_channel()
        scope: Scope = {"type": "http", "method": "GET", "headers": []}
        scope["extensions"] = {"http.response.pathsend": {}}
        response = sa.file(path)
        resolve = response.resolve

        def resolve_and_replace(*args: object, **options: object) -> object:
            resolved = resolve(*args, **options)  # type: ignore[arg-type]  # passed on as they come
            replace(path)
            return resolved

        monkeypatch.setattr(response, "resolve", resolve_and_replace)
        await asyncio.wait_for(response.asgi(scope, receive, send), BOUND)
        return sent

    messages = asyncio.run(send_it())
    assert b"".join(message.get("body", b"") for message in messages) == OLD
    assert (b"content-length", b"%d" % MIB) in messages[0]["headers"]


def test_a_file_replaced_behind_granian_is_never_sent_under_the_old_length(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(OLD)
    with granian("tests.files.apps.replacing:asgi", FILES=str(tmp_path)) as server:
        for _ in range(2):
            try:
                response = httpx.get(f"{server.url}/large.bin", timeout=BOUND)
            except httpx.TransportError:
                continue
            assert (response.status_code, set(response.content)) in ((200, set(OLD)), (500, set(response.content)))


@either_interface
@pytest.mark.parametrize(
    ("first", "second"), [(b"build one", b"build two"), (b"", b"")], ids=["of one size", "both empty"]
)
def test_builds_of_one_time_and_size_have_different_tags(
    call: Call, tmp_path: Path, first: bytes, second: bytes
) -> None:
    path = tmp_path / "app.js"
    tags: list[str] = []
    for content in (first, second):
        fresh = tmp_path / "fresh"
        fresh.write_bytes(content)
        os.utime(fresh, (1_600_000_000, 1_600_000_000))
        while tags and fresh.stat().st_ctime_ns == path.stat().st_ctime_ns:  # within one tick of the kernel's clock
            fresh.chmod(0o600)
        fresh.rename(path)
        tags += call(sa.file(path)).header("ETag")
    assert len({*tags}) == 2


@either_interface
def test_a_download_is_resumed_by_the_tag_and_by_the_date(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(OLD)
    whole = call(sa.file(path))
    for validator in (*whole.header("ETag"), *whole.header("Last-Modified")):
        rest = call(sa.file(path), headers=[("Range", f"bytes={MIB - 5}-"), ("If-Range", validator)])
        assert (rest.status, rest.body) == (206, OLD[-5:])
    replace(path)
    again = call(sa.file(path), headers=[("Range", "bytes=5-"), ("If-Range", whole.header("ETag")[0])])
    assert (again.status, again.body) == (200, NEW)
