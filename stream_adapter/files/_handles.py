"""Handles: open files that are read by position: a descriptor, a file object, an async one, or a pipe.

A handle has one reader at a time, which closes it.
"""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

from stream_adapter.errors import SourceError

__all__ = [
    "AsyncHandle",
    "DescriptorHandle",
    "Handle",
    "PipeHandle",
    "aopen_object",
    "check_object",
    "is_async",
    "is_file_on_disk",
    "open_object",
]


class Handle(Protocol):
    """A file that can be sent, and its metadata."""

    @property
    def size(self) -> int | None:
        """Bytes; None if unknown, as of a pipe."""
        ...

    @property
    def modified_ns(self) -> int | None:
        """Nanoseconds since the epoch; None if that is not known."""
        ...

    @property
    def changed_ns(self) -> int | None:
        """When the file's inode was changed last, which no program can set; None if that is not known."""
        ...

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes; none at the end."""
        ...

    def has_changed(self) -> bool:
        """Return True if it has changed since it was opened, as far as that can be seen."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class DescriptorHandle:
    """A regular file, by its descriptor: what is read is the file that was looked at, whatever its path now means.

    Args:
        descriptor: open for reading.
        path: the one that it was opened by; None if what opens that again could get what it must not have.
        way: its absolute path without symbolic links, as it was opened and checked; None if that is not known.
        close: closes it; None for a descriptor of the handle's own.
        start: where in the file that which is sent begins.
    """

    __slots__ = (
        "_close",
        "_descriptor",
        "_identity",
        "_seen",
        "_start",
        "changed_ns",
        "modified_ns",
        "path",
        "size",
        "way",
    )

    def __init__(
        self,
        descriptor: int,
        *,
        path: str | None = None,
        way: str | None = None,
        close: Callable[[], object] | None = None,
        start: int = 0,
    ) -> None:
        self._descriptor = descriptor
        self._close = close
        self._start = start
        status = os.fstat(descriptor)
        self._seen = status.st_size, status.st_mtime_ns
        self._identity = status.st_dev, status.st_ino
        self.path = path
        self.way = way
        self.size: int = max(status.st_size - start, 0)
        self.modified_ns: int = status.st_mtime_ns
        self.changed_ns: int = status.st_ctime_ns

    @property
    def is_whole(self) -> bool:
        """Return True if it is sent from the file's first byte on."""
        return not self._start

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes; none at the end."""
        return _pread(self._descriptor, count, self._start + position)

    def has_changed(self) -> bool:
        """Return True if the file was written to, cut or extended since it was opened."""
        status = os.fstat(self._descriptor)
        return (status.st_size, status.st_mtime_ns) != self._seen

    def is_at_path(self) -> bool:
        """Return True if what opens `path` now gets this file, and as it was when it was opened."""
        if self.path is None:
            return False
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity and (status.st_size, status.st_mtime_ns) == self._seen

    def close(self) -> None:
        """Close it."""
        descriptor, self._descriptor = self._descriptor, -1  # whose number may soon be another file's
        if self._close is not None:
            self._close()
        else:
            os.close(descriptor)


def _seek_and_read(descriptor: int, count: int, position: int) -> bytes:
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, count)


_pread: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)  # which Windows has not


class ObjectHandle:
    """A file object that can seek, sent from where it stands: BytesIO, SpooledTemporaryFile, one of fsspec's."""

    modified_ns: int | None = None
    changed_ns: int | None = None

    def __init__(self, file: Any, start: int, stop: int) -> None:
        self._file = file
        self._start = start
        self.size: int | None = max(stop - start, 0)

    def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes; none at the end."""
        self._file.seek(self._start + position)
        return bytes(self._file.read(count))

    def has_changed(self) -> bool:
        """Unknown."""
        return False

    def close(self) -> None:
        """Close it."""
        _close(self._file)


class PipeHandle:
    """A file object that cannot seek: read once, from where it stands to its end."""

    size: int | None = None
    modified_ns: int | None = None
    changed_ns: int | None = None

    def __init__(self, file: Any) -> None:
        self._file = file
        self._read: Callable[[int], Any] = getattr(file, "read1", file.read)  # what is there, rather than all of it

    def read(self, position: int, count: int) -> bytes:
        """Return what comes next, up to `count` bytes; none at the end."""
        del position
        return bytes(self._read(count) or b"")

    def has_changed(self) -> bool:
        """Unknown."""
        return False

    def close(self) -> None:
        """Close it."""
        _close(self._file)


class AsyncHandle:
    """An async file object, such as anyio's and aiofiles'.

    Args:
        file: its `read`, and its `seek` and `close` if it has them, are awaited.
        start: where it stands.
        stop: where it ends; None for one that cannot seek.
    """

    modified_ns: int | None = None
    changed_ns: int | None = None

    def __init__(self, file: Any, start: int, stop: int | None) -> None:
        self._file = file
        self._start = start
        self._position = start
        self.size: int | None = None if stop is None else max(stop - start, 0)

    async def read(self, position: int, count: int) -> bytes:
        """Return up to `count` bytes; none at the end."""
        if self.size is not None and self._position != self._start + position:
            await self._file.seek(self._start + position)
        block = bytes(await self._file.read(count) or b"")
        self._position = self._start + position + len(block)
        return block

    async def aclose(self) -> None:
        """Close it."""
        await _aclose(self._file)


def open_object(file: Any) -> Handle:
    """Make the handle of a sync file object. The handle owns it from here on; it is closed if that fails."""
    try:
        if is_file_on_disk(file):
            if isinstance(file, io.BufferedRandom):
                file.flush()
            return DescriptorHandle(file.fileno(), close=file.close, start=file.tell())
        try:
            start = file.tell()
            stop = file.seek(0, os.SEEK_END)
            stop = file.tell() if stop is None else stop  # SpooledTemporaryFile's once returned nothing
            file.seek(start)
        except (AttributeError, OSError, ValueError):  # ValueError: gzip's cannot seek from the end
            return PipeHandle(file)
        return ObjectHandle(file, start, stop)
    except BaseException:
        _close(file)
        raise


async def aopen_object(file: Any) -> AsyncHandle:
    """Make the handle of an async file object, which the handle owns too."""
    try:
        try:
            start = await file.tell()
            await file.seek(0, os.SEEK_END)
            stop = await file.tell()
            await file.seek(start)
        except (AttributeError, OSError, ValueError):
            return AsyncHandle(file, 0, None)
        return AsyncHandle(file, start, stop)
    except BaseException:
        await _aclose(file)
        raise


def is_file_on_disk(file: Any) -> TypeGuard[io.BufferedReader | io.BufferedRandom | io.FileIO]:
    """Return True for what `open(path, "rb")` returns of a regular file, which is read by its descriptor."""
    return isinstance(file, (io.BufferedReader, io.BufferedRandom, io.FileIO)) and not file.closed and file.seekable()


def check_object(file: Any) -> None:
    """Refuse what is not a binary file object.

    Raises:
        SourceError: it has no `read`, or it reads text.
    """
    if not callable(getattr(file, "read", None)):
        raise SourceError(f"file: expected a path or a binary file object, got {type(file).__name__}")
    if hasattr(file, "encoding"):
        raise SourceError(f"file: expected a binary file object, got {type(file).__name__} of text; open it with 'rb'")


def is_async(file: Any) -> bool:
    """Return True if a file object's `read` is awaited."""
    return inspect.iscoroutinefunction(file.read) or (hasattr(file, "__aiter__") and not hasattr(file, "__iter__"))


def _close(file: Any) -> None:
    close = getattr(file, "close", None)
    if close is not None:
        close()


async def _aclose(file: Any) -> None:
    close = getattr(file, "aclose", None) or getattr(file, "close", None)
    closing = close() if close is not None else None
    if inspect.isawaitable(closing):
        await closing
