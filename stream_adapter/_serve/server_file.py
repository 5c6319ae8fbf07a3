"""A whole file that a WSGI server sends by itself: PEP 3333, "Optional Platform-Specific File Handling".

gunicorn and uWSGI use the descriptor and let the kernel send; waitress reads as fast as its client does. They get this
object in place of the file: it ends where the file ended when it was opened, it breaks the connection if the file has
changed, and its `close` closes the response.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeAlias

from stream_adapter._body import SyncBody
from stream_adapter._resolved import OpenFile
from stream_adapter.errors import FileChangedError
from stream_adapter.types import Environ

__all__ = ["BLOCK", "ServerFile", "server_file"]

Report: TypeAlias = Callable[[BaseException], object]

BLOCK = 1 << 18  # bytes of a file that are read at a time, where that is not left to the kernel


class ServerFile:
    """A file object, with the methods that servers use.

    Args:
        file: what is sent.
        close: closes the response. It can be set again, as Django does.
        watch: watches the client while the server sends.
        report: called with an error.
    """

    def __init__(
        self,
        file: OpenFile,
        close: Callable[[], object],
        watch: Callable[[], object] = object,
        report: Callable[[BaseException], object] = repr,
    ) -> None:
        self._file = file
        self._watch = watch
        self._report = report
        self._close_response = close
        self._position = 0

    def wrap(self, environ: Environ) -> Iterable[bytes]:
        """Return the iterable that the server recognizes. It must reach the server unchanged."""
        self._watch()
        wrapper: Callable[[ServerFile, int], Iterable[bytes]] = environ["wsgi.file_wrapper"]
        return wrapper(self, BLOCK)

    def whole_file(self) -> OpenFile | None:
        """Return the file, unless it is sent from a later position on."""
        return None if self._position else self._file

    def fileno(self) -> int:
        """Return the descriptor, at the position of this object: a server uses either."""
        descriptor = self._file.fileno()
        os.lseek(descriptor, self._position, os.SEEK_SET)
        return descriptor

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        self._position = offset + (0, self._position, self._file.size)[whence]
        return self._position

    def read(self, count: int = -1) -> bytes:
        """Return up to `count` bytes.

        Raises:
            FileChangedError: the file has changed.
        """
        rest = max(self._file.size - self._position, 0)
        wanted = rest if count < 0 else min(count, rest)
        block = self._file.read(self._position, wanted)
        self._position += len(block)
        if len(block) < wanted:
            self._check()
        return block

    @property
    def close(self) -> Callable[[], None]:
        """Closes the response, and raises if the file has changed, so that the connection is not kept."""
        return self._close

    @close.setter
    def close(self, close: Callable[[], object]) -> None:
        self._close_response = close

    def _close(self) -> None:
        try:
            self._check()
        finally:
            self._close_response()

    def _check(self) -> None:
        if self._file.has_changed():
            error = FileChangedError("the file was changed while it was sent")
            self._report(error)
            raise error


def server_file(body: SyncBody, environ: Environ) -> ServerFile | None:
    """Return the file for the server, in place of the body; None if the server or the body does not support that."""
    if body.file is None or environ.get("wsgi.file_wrapper") is None:
        return None
    return ServerFile(body.file, body.close, body.watch, body.report_failure)
