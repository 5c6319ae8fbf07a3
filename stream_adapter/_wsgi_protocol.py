"""`start_response` as an application calls it (PEP 3333): which calls are allowed, and the head that they set."""

from __future__ import annotations

from collections.abc import Callable

from .types import ExcInfo

__all__ = ["HeldHead"]

_Headers = list[tuple[str, str]]


class HeldHead:
    """A `start_response` that holds the head of a response, which may be replaced until it is committed.

    Args:
        write: what an application gets that writes rather than yields.
        check: called with status and headers before they are held; what it raises is the application's.

    Attributes:
        status: the status line; "" until the application has called.
        headers: of the response.
        committed: whether the head has gone out, or its first block has been taken.
    """

    __slots__ = ("_check", "_write", "committed", "headers", "status")

    def __init__(
        self, write: Callable[[bytes], object], check: Callable[[str, _Headers], object] | None = None
    ) -> None:
        self._write = write
        self._check = check
        self.status = ""
        self.headers: _Headers = []
        self.committed = False

    def __call__(self, status: str, headers: _Headers, exc_info: ExcInfo | None = None) -> Callable[[bytes], object]:
        """Hold the head. `exc_info` is positional in PEP 3333, and given by keyword in its examples.

        Raises:
            BaseException: that of `exc_info`, once the head is committed.
            RuntimeError: it is a second call without `exc_info`.
        """
        error = None if exc_info is None else exc_info[1]
        if self.committed and error is not None:
            try:
                raise error.with_traceback(None if exc_info is None else exc_info[2])
            finally:
                error = exc_info = None  # which are a cycle with this frame
        if self.committed or (exc_info is None and self.status):
            raise RuntimeError("start_response was called a second time without exc_info (PEP 3333)")
        if self._check is not None:
            self._check(status, headers)
        self.status, self.headers = status, list(headers)
        return self._write
