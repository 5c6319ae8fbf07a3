"""Paths from users: whatever is not a regular file below the root is not found, and nothing tells why."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import stream_adapter as sa
from stream_adapter.errors import NotFoundError
from stream_adapter.files._opening import open_below
from tests.support.interfaces import Call, either_interface

SECRET = b"what lies outside"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A directory with everything in it that is not to be sent, and two files that are."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(SECRET)
    (tmp_path / "served-too").mkdir()
    (tmp_path / "served-too" / "secret.txt").write_bytes(SECRET)
    root = tmp_path / "served"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"inside")
    (root / "sub" / "b c ä.txt").write_bytes(b"below")
    (root / "inward").symlink_to("a.txt")
    (root / "around").symlink_to("sub")
    (root / "outward").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "outwards").symlink_to(tmp_path / "outside")
    (root / "relative").symlink_to("../outside/secret.txt")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nothing")
    (root / "null").symlink_to("/dev/null")
    os.mkfifo(root / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(root)  # the path of a UNIX socket is short
    listener.bind("socket")
    os.chdir(before)
    yield root
    listener.close()


FOUND = {"a.txt": b"inside", "inward": b"inside", "sub/b c ä.txt": b"below", "around/b c ä.txt": b"below"}

NOT_FOUND = [
    *("../outside/secret.txt", "../served-too/secret.txt", "sub/../../outside/secret.txt", "..", "../served/a.txt"),
    *("sub/../a.txt", "./a.txt", "sub//b c ä.txt", "a.txt/", "a.txt/.", "", ".", "/", "//", "sub", "sub/"),
    *("/etc/passwd", "//etc/passwd", "/a.txt", "~/a.txt", "file:///etc/passwd"),
    *("outward", "outwards/secret.txt", "relative", "loop", "dangling", "null", "fifo", "socket"),
    *("nothing", "a.txt/b", "a.txt\0", "\0", "a" * 5000, "x/" * 3000, "\udc00\ud800"),
    *("..\\outside\\secret.txt", "%2e%2e/outside/secret.txt", "a.txt::$DATA", "A.TXT"),
]


@either_interface
@pytest.mark.parametrize(("path", "content"), FOUND.items(), ids=FOUND)
def test_a_file_below_the_root_is_sent(call: Call, root: Path, path: str, content: bytes) -> None:
    answer = call(sa.file(path, root=root))
    assert (answer.status, answer.body) == (200, content)


@either_interface
@pytest.mark.parametrize("path", NOT_FOUND, ids=lambda path: repr(path)[:40])
def test_path_outside_of_the_root_is_a_404(call: Call, root: Path, path: str) -> None:
    answer = call(sa.file(path, root=root))
    assert (answer.status, answer.body, answer.error, answer.complete) == (404, b"", None, True)
    assert answer.header("Content-Length") == ["0"]


@either_interface
@pytest.mark.parametrize("name", ["fifo", "sub", "nothing", "dangling", "null", "socket"])
def test_path_without_root_to_anything_but_a_regular_file_is_not_found(call: Call, root: Path, name: str) -> None:
    assert call(sa.file(root / name)).status == 404


def test_a_root_may_itself_be_a_link(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    handle = open_below(str(tmp_path / "link"), "a.txt")
    assert handle.read(0, 10) == b"inside"
    handle.close()


def test_root_that_does_not_exist_is_a_server_error_and_not_404(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        sa.file("a.txt", root=tmp_path / "missing").resolve()
    assert not isinstance(raised.value, NotFoundError)


@pytest.mark.parametrize("swapped", ["sub", "sub/deep", "sub/deep/file"])
def test_a_link_put_in_the_way_after_the_check_is_not_followed(
    tmp_path: Path, root: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    for name in ("deep/file", "file"):
        (outside / name).parent.mkdir(exist_ok=True)
        (outside / name).write_bytes(SECRET)
    (root / "sub" / "deep" / "file").write_bytes(b"inside")
    check = os.path.realpath

    def check_then_swap(path: str, *, strict: bool = False) -> str:
        checked = check(path, strict=strict)
        if checked.endswith("file"):
            (root / swapped).rename(tmp_path / "away")
            (root / swapped).symlink_to(outside / "file" if swapped.endswith("file") else outside)
        return checked

    monkeypatch.setattr(os.path, "realpath", check_then_swap)
    with pytest.raises(NotFoundError):
        open_below(str(root), "sub/deep/file")


def test_every_request_closes_its_descriptors(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in NOT_FOUND:
        with pytest.raises(NotFoundError):
            sa.file(path, root=root).resolve()
    assert len(os.listdir("/proc/self/fd")) == before
