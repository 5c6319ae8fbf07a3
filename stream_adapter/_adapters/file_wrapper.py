"""`wsgi.file_wrapper` of the adapter to ASGI (PEP 3333): an application's open file.

A server that sends files by their path is given that of a whole file. Otherwise the file is read in large blocks:
applications read files in blocks of 8 KiB, and each would cross from the thread to the loop by itself.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from stream_adapter._resolved import OpenFile
from stream_adapter._serve.server_file import BLOCK, ServerFile

__all__ = ["FileWrapper"]

_READERS = (io.BufferedReader, io.FileIO)  # what `open(path, "rb")` returns; a subclass may do anything to `read`


class FileWrapper(Iterator[bytes]):
    """The rest of a file, from its present position.

    Args:
        file: what has `read`. Werkzeug, for a range, also uses its `seek`, `tell` and `seekable`.
        block_size: bytes that are read at once from what is not a regular file: a pipe may be slow to have more.

    Attributes:
        is_regular: whether it is a regular file, which can be read ahead.
    """

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self._file: Any = file
        self._read = file.read
        self.is_regular: bool = _is_regular(file)
        self._size = max(block_size, BLOCK) if self.is_regular else block_size

    def __next__(self) -> bytes:
        block: bytes = self._read(self._size)
        if not block:
            raise StopIteration
        return block

    def __getattr__(self, name: str) -> Any:
        if name in {"close", "seek", "seekable", "tell"}:
            return getattr(self._file, name)
        raise AttributeError(name)

    def whole_file(self) -> OpenFile | None:
        """Return the file if all of it is sent, and it was opened by a path; otherwise None."""
        file = self._file
        if isinstance(file, ServerFile):
            return file.whole_file()
        if not self.is_regular or type(file) not in _READERS or not isinstance(file.name, (str, bytes)):
            return None
        from stream_adapter.files._handles import DescriptorHandle  # noqa: PLC0415  # few servers send by path

        handle = DescriptorHandle(file.fileno(), path=os.path.abspath(os.fsdecode(file.name)), start=file.tell())
        return handle if handle.is_whole else None


def _is_regular(file: Any) -> bool:
    with suppress(AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the last
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    return False
