"""`wsgi.file_wrapper` of the adapter to ASGI (PEP 3333): an application's open file, read in large blocks.

Applications read files in blocks of 8 KiB, and each would cross from the thread to the loop by itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

__all__ = ["FileWrapper"]

_BLOCK = 262144  # bytes of a regular file that are read at once, as `files` reads them under ASGI


class FileWrapper(Iterator[bytes]):
    """The rest of a file, from its present position.

    Args:
        file: what has `read`. Werkzeug, for a range, also uses its `seek`, `tell` and `seekable`.
        block_size: bytes that are read at once from what is not a regular file: a pipe may be slow to have more.
    """

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self._file: Any = file
        self._read = file.read
        self._size = max(block_size, _BLOCK) if _is_regular(file) else block_size

    def __next__(self) -> bytes:
        block: bytes = self._read(self._size)
        if not block:
            raise StopIteration
        return block

    def __getattr__(self, name: str) -> Any:
        if name in {"close", "seek", "seekable", "tell"}:
            return getattr(self._file, name)
        raise AttributeError(name)


def _is_regular(file: Any) -> bool:
    with suppress(AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the last
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    return False
