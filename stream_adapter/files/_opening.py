"""Open a path, then inspect the open file: so the file that was checked is the file that is sent.

Below a `root` the path is a user's, and nothing outside may be reached. Symbolic links are followed, all at once; then
every directory on the resolved way is opened from the one before it, and no link is followed any more. A link that is
put in the way in between is an error, not another file. That way is also what a front server is given: it is the one
that was walked, and no path is looked up a second time.

Every reason why there is nothing to send is the same error with the same text, so that a client that probes learns
nothing. The reason is logged at debug level. Neither names a directory of the server's.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeAlias

from stream_adapter._log import log_stream, printable
from stream_adapter.errors import CapacityError, NotFoundError

from ._handles import DescriptorHandle, PipeHandle

__all__ = ["OpenedPath", "not_found", "open_below", "open_path", "open_resolved", "shown_path"]

OpenedPath: TypeAlias = DescriptorHandle | PipeHandle


_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# O_PATH: to pass through a directory takes the permission to search it, and not the one to list it
_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_FAILING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOSYS, errno.EINTR})
_SHOWN = 100  # characters of a path that an error names


def open_path(path: str) -> OpenedPath:
    """Open a regular file. O_NONBLOCK: a FIFO without a writer must not keep us waiting.

    Raises:
        NotFoundError: it does not exist, or may not be read.
        CapacityError: no descriptor is left to open it with.
        OSError: the file system has failed.
    """
    return _opened(path, lambda: _regular(os.open(path, _FILE), path=os.path.abspath(path)))


def open_resolved(path: str) -> OpenedPath:
    """Open a regular file by the path that is left once all links are followed, which a front server is given.

    Raises:
        NotFoundError, CapacityError, OSError: as `open_path`.
    """

    def open_it() -> OpenedPath:
        way = os.path.realpath(path, strict=True)
        if os.open not in os.supports_dir_fd:
            return _regular(os.open(way, _FILE | _NO_LINK), way=way)
        top = os.path.abspath(os.sep)
        return _regular(_walk(top, os.path.relpath(way, top).split(os.sep)), way=way)

    return _opened(path, open_it)


def open_below(root: str, path: str) -> OpenedPath:
    """Open a regular file below `root`.

    Args:
        root: a directory.
        path: relative to it, with `/` between its parts; none of them may be empty, `.` or `..`.

    Raises:
        NotFoundError: it does not exist below `root`, or may not be read.
        CapacityError: no descriptor is left to open it with.
        OSError: `root` does not exist, or the file system has failed.
    """
    top = _top(root)

    def open_it() -> OpenedPath:
        if not all(part not in {"", ".", ".."} for part in path.split("/")):
            raise FileNotFoundError(errno.ENOENT, "not a plain relative path")
        way = os.path.realpath(os.path.join(top, path), strict=True)
        if os.path.commonpath([top, way]) != top:
            raise FileNotFoundError(errno.ENOENT, "outside the root")
        return _regular(_walk(top, os.path.relpath(way, top).split(os.sep)), way=way)

    return _opened(path, open_it)


def not_found(path: str, reason: str) -> NotFoundError:
    """Return the error of a path that leads to no file which may be sent, and log the reason."""
    shown = shown_path(path)
    log_stream(logging.DEBUG, f"file {printable(shown)}", f"nothing to send: {reason}", "the answer is a 404")
    return NotFoundError(f"file: nothing to send at {shown!r}")


def shown_path(path: str) -> str:
    """Return the text of a path for an error: a relative one shortened, of an absolute one the last part."""
    name = os.path.basename(path) if os.path.isabs(path) else path
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


def _top(root: str) -> str:
    """Resolve the root, which is the application's own: that it is missing is a mistake, and not a 404."""
    try:
        return os.path.realpath(root, strict=True)
    except (OSError, ValueError) as error:
        problem = _reason(error)
    raise FileNotFoundError(f"root: expected a directory, got {shown_path(root)!r}: {problem}")


def _opened(path: str, open_it: Callable[[], OpenedPath]) -> OpenedPath:
    """Call it. What it raises is raised outside of the handler: the original error names the whole path."""
    try:
        return open_it()
    except (OSError, ValueError) as error:  # ValueError: a NUL, or a character that no file name has
        refusal = _refusal(path, error)
    raise refusal


def _refusal(path: str, error: OSError | ValueError) -> Exception:
    code = error.errno if isinstance(error, OSError) else None
    if code in _EXHAUSTED:
        return CapacityError(f"file: {_reason(error)}")
    if code in _FAILING:
        return OSError(code, f"{_reason(error)}, on opening {shown_path(path)!r}")
    return not_found(path, _reason(error))


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or "not found" if isinstance(error, OSError) else type(error).__name__


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


def _regular(descriptor: int, *, path: str | None = None, way: str | None = None) -> OpenedPath:
    """Return the handle of a regular file; anything else is closed."""
    with ExitStack() as undo:
        undo.callback(os.close, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file")
        handle: OpenedPath = DescriptorHandle(descriptor, path=path, way=way)
        if not handle.size and handle.read(0, 1):  # as below /proc: the kernel makes it up, and does not know its size
            handle = PipeHandle(open(descriptor, "rb"))  # noqa: SIM115  # the handle closes it
        undo.pop_all()
    return handle
