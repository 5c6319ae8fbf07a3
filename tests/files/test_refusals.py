"""Refusals tell a client that probes nothing, and name no directory of the server's."""

from __future__ import annotations

import errno
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import stream_adapter as sa
from stream_adapter.errors import CapacityError, NotFoundError
from stream_adapter.files import XAccelRedirect, XSendfile
from tests.support.interfaces import Answer, Call, call_asgi, either_interface

REASONS = ["missing", "forbidden", "directory", "broken", "outward", "fifo", "loop", "../outside", "missing/a", "\0"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_bytes(b"secret")
    root = tmp_path / "served"
    (root / "directory").mkdir(parents=True)
    (root / "forbidden").write_bytes(b"secret")
    (root / "broken").symlink_to("missing")
    (root / "loop").symlink_to("loop")
    (root / "outward").symlink_to("../outside")
    (root / "a.txt").write_bytes(b"content")
    os.mkfifo(root / "fifo")
    return root


@pytest.fixture(autouse=True)
def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse one file, as the system does unless the tests run as root."""
    really = os.open

    def refuse(path: str, flags: int, *args: int, **options: int) -> int:
        if str(path).endswith("forbidden"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return really(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, refuse})


def response(root: Path, name: str, way: str) -> sa.Response:
    match way:
        case "root":
            return sa.file(name, root=root)
        case "precompressed":
            return sa.file(name, root=root, precompressed=True)
        case "nginx":
            return sa.file(name, root=root, offload=XAccelRedirect("/files/", root))
        case "Apache":
            return sa.file(root / name, offload=XSendfile())
        case _:
            return sa.file(root / name)


WAYS = ["root", "precompressed", "nginx", "Apache", "own path"]


def reasons(way: str) -> list[str]:
    """Return the reasons for a 404; a path of one's own may lead anywhere."""
    return REASONS if way in WAYS[:3] else [name for name in REASONS if name not in {"outward", "../outside"}]


@either_interface
@pytest.mark.parametrize("way", WAYS)
def test_every_reason_for_a_404_is_the_same_answer(call: Call, root: Path, way: str) -> None:
    def seen(answer: Answer) -> tuple[object, ...]:
        return answer.status, answer.reason, answer.headers, answer.body, answer.error

    asked = [("Accept-Encoding", "br")]
    answers = [seen(call(response(root, name, way), headers=asked)) for name in reasons(way)]
    assert answers == [answers[0]] * len(answers)
    assert answers[0][0] == 404


@pytest.mark.parametrize(("way", "name"), [(way, name) for way in WAYS for name in reasons(way)])
def test_a_404_names_no_directory_in_its_error_its_traceback_or_the_log(
    root: Path, way: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "stream_adapter"), pytest.raises(NotFoundError) as raised:
        response(root, name, way).resolve()
    shown = "".join(traceback.format_exception(raised.value)) + repr(response(root, name, way))
    assert str(root.parent) not in shown.replace(__file__, "") + caplog.text
    assert raised.value.__cause__ is raised.value.__context__ is raised.value.filename is None
    assert "nothing to send" in str(raised.value)
    assert caplog.records  # the reason is logged, for debugging


def test_offloaded_file_outside_the_root_of_nginx_is_answered_404(root: Path, tmp_path: Path) -> None:
    elsewhere = XAccelRedirect("/files/", tmp_path / "elsewhere")
    with pytest.raises(NotFoundError) as raised:
        sa.file("a.txt", root=root, offload=elsewhere).resolve()
    assert str(raised.value) == "file: nothing to send at 'a.txt'"


def test_a_root_that_is_missing_is_named_without_its_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        sa.file("a.txt", root=tmp_path / "gone").resolve()
    assert str(raised.value) == "root: expected a directory, got 'gone': No such file or directory"


MAKERS: list[Callable[[Path], sa.Response]] = [
    lambda root: sa.file("a.txt", root=root),
    lambda root: sa.file(root / "a.txt"),
]

FAILURES: dict[str, tuple[int, type[Exception]]] = {
    "no descriptor is left": (errno.EMFILE, CapacityError),
    "the system has none left": (errno.ENFILE, CapacityError),
    "the disk fails": (errno.EIO, OSError),
    "a network's handle is stale": (errno.ESTALE, OSError),
}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("code", "error"), FAILURES.values(), ids=FAILURES)
def test_a_failure_of_the_system_is_not_a_404(
    root: Path, make: Callable[[Path], sa.Response], code: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: object, *_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(error) as raised:
        make(root).resolve()
    assert not isinstance(raised.value, NotFoundError)
    assert str(root) not in str(raised.value)


def test_no_descriptor_left_is_answered_503_with_retry_after(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", fail)
    answer = call_asgi(sa.file(root / "a.txt"))
    assert (answer.status, answer.header("Retry-After"), answer.body) == (503, ["1"], b"")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@either_interface
def test_a_file_that_the_kernel_makes_up_is_sent_to_its_end(call: Call) -> None:
    answer = call(sa.file("/proc/self/status"))
    assert answer.status == 200
    assert answer.body.startswith(b"Name:")
    assert answer.header("Content-Length") == answer.header("ETag") == answer.header("Accept-Ranges") == []
    assert call(sa.file("self/status", root="/proc")).status == 200
