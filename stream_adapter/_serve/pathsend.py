"""A file that an ASGI server opens and sends by itself: https://asgi.readthedocs.io, "Path Send"."""

from __future__ import annotations

from stream_adapter._body import AsyncBody
from stream_adapter._pump import in_file_thread
from stream_adapter._resolved import OpenFile
from stream_adapter.errors import FileChangedError
from stream_adapter.types import Scope

__all__ = ["check_path", "offers_pathsend", "sent_by_path"]


def offers_pathsend(scope: Scope) -> bool:
    """Return True if the server sends a file by its path: the message `http.response.pathsend`."""
    return "http.response.pathsend" in (scope.get("extensions") or {})


async def sent_by_path(body: AsyncBody) -> OpenFile | None:
    """Return the file that the server may send by its path; None if it may not."""
    file = body.file
    return file if file is not None and await _is_at_path(file) else None


async def _is_at_path(file: OpenFile) -> bool:
    """Return True if the server would open this file by its path. A thread looks, as the file system may be slow."""
    return file.path is not None and await in_file_thread(file.is_at_path, id)


async def check_path(file: OpenFile) -> None:
    """Raise FileChangedError if the server would open another file by its path."""
    if not await _is_at_path(file):
        raise FileChangedError("the file was replaced or changed while the server sent it")
