"""Opening a path: what is there is opened first and looked at afterwards, so what was checked is what is sent.

Below a `root` the path is a user's, and nothing outside may be reached. Symbolic links are followed, all at once; then
every directory on the resolved way is opened from the one before it, and no link is followed any more. Whoever puts a
link in the way in between gets an error, not another file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from stream_adapter.errors import NotFoundError

from ._handles import DescriptorHandle

__all__ = ["open_below", "open_path"]

_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK


def open_path(path: str) -> DescriptorHandle:
    """Open a regular file. O_NONBLOCK: a FIFO without a writer must not keep us waiting.

    Raises:
        NotFoundError: there is none, or it may not be read.
    """
    with _not_found(path):
        return _regular(os.open(path, _FILE), os.path.abspath(path))


def open_below(root: str, path: str) -> DescriptorHandle:
    """Open a regular file below `root`.

    Args:
        root: a directory.
        path: relative to it, with `/` between its parts; none of them may be empty, `.` or `..`.

    Raises:
        NotFoundError: there is none below `root`.
        OSError: there is no such root.
    """
    top = os.path.realpath(root, strict=True)
    with _not_found(path):
        if not all(part not in {"", ".", ".."} for part in path.split("/")):
            raise FileNotFoundError("it is no plain relative path")
        way = os.path.realpath(os.path.join(top, path), strict=True)
        if os.path.commonpath([top, way]) != top:
            raise FileNotFoundError("it leads out of the root")
        return _regular(_walk(top, os.path.relpath(way, top).split(os.sep)), None)


def _walk(top: str, parts: list[str]) -> int:
    """Open what is at the end of a way without links."""
    directory = os.open(top, _DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = below
        return os.open(parts[-1], _FILE | _NO_LINK, dir_fd=directory)
    finally:
        os.close(directory)


def _regular(descriptor: int, path: str | None) -> DescriptorHandle:
    """Return the handle of a regular file; anything else is closed."""
    with ExitStack() as undo:
        undo.callback(os.close, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError("it is no regular file")
        handle = DescriptorHandle(descriptor, path)
        undo.pop_all()
    return handle


@contextmanager
def _not_found(path: str) -> Generator[None]:
    """Give every reason why there is no file one name: a client that probes is told nothing more."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL, or a character that no file name has
        raise NotFoundError(f"file: nothing to send at {path!r}: {error}") from error
