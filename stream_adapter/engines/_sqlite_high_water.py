"""The number of the newest entry, in a file beside the database: how a database that holds less than that is noticed.

A backup that is copied over the database leaves its inode as it is, and nothing in it says that it is old.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["HighWater"]

_SIZE = 8  # bytes


class HighWater:
    """A number that processes share. It is read under the database's write lock, and set just after it.

    Args:
        path: the database; the file is `<path>-top`.

    Raises:
        OSError: it cannot be opened, or from a method.
    """

    def __init__(self, path: Path) -> None:
        mode = path.stat().st_mode & 0o666  # who may write to the one may write to the other
        self._file = os.open(f"{path}-top", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), mode)

    def get(self) -> int:
        """Return the number; 0 if none was set."""
        os.lseek(self._file, 0, os.SEEK_SET)
        return int.from_bytes(os.read(self._file, _SIZE), "big")

    def set(self, number: int) -> None:
        """Set it."""
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, number.to_bytes(_SIZE, "big"))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
