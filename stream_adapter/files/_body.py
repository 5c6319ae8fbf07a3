"""The body of a file, or of parts of it: the bytes that were promised, or an error that breaks the connection."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Sequence

from stream_adapter.errors import FileChangedError

from ._handles import AsyncHandle, Handle
from ._ranges import Segment

__all__ = ["BLOCK", "AsyncFileBody", "FileBody", "everything"]

BLOCK = 1 << 18  # bytes read at a time: less costs system calls, more costs memory, and neither gains


def everything(size: int | None) -> list[Segment]:
    """Return the segments of a whole file; one of unknown size is read to its end."""
    return [range(sys.maxsize if size is None else size)]


class _Plan:
    """Which part of a file is sent next. It does no I/O.

    Args:
        segments: bytes that are sent as they are, and ranges of the file's bytes.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = iter(segments)
        self._left = range(0)

    def next(self) -> bytes | tuple[int, int] | None:
        """Return bytes to send, or the position and size of a block to read; None at the end."""
        while not self._left:
            segment = next(self._segments, None)
            if segment is None or isinstance(segment, bytes):
                return segment
            self._left = segment
        return self._left.start, min(BLOCK, self._left.stop - self._left.start)

    def advance(self, count: int) -> None:
        """Skip the `count` bytes that were read, which may be fewer than requested."""
        self._left = self._left[count:]


class FileBody(Iterator[bytes]):
    """Segments, read in blocks from a handle, which is closed with it.

    Attributes:
        length: in bytes.
    """

    def __init__(self, handle: Handle, segments: Sequence[Segment]) -> None:
        self._handle = handle
        self._blocks = self._read(segments)
        self.length = sum(map(len, segments))

    def __next__(self) -> bytes:
        return next(self._blocks)

    def _read(self, segments: Sequence[Segment]) -> Iterator[bytes]:
        handle, plan = self._handle, _Plan(segments)
        while (part := plan.next()) is not None:
            if isinstance(part, bytes):
                yield part
                continue
            block = handle.read(*part)
            if not block and handle.size is None:
                return
            if not block or handle.has_changed():  # looked at after the read: so the block is as it was
                raise FileChangedError("the file was changed while it was sent")
            plan.advance(len(block))
            yield block

    def close(self) -> None:
        """Close the handle."""
        self._handle.close()


class AsyncFileBody(AsyncIterator[bytes]):
    """Segments, read in blocks from an async handle, which is closed with it."""

    def __init__(self, handle: AsyncHandle, segments: Sequence[Segment]) -> None:
        self._handle = handle
        self._blocks = self._read(segments)

    async def __anext__(self) -> bytes:
        return await anext(self._blocks)

    async def _read(self, segments: Sequence[Segment]) -> AsyncIterator[bytes]:
        handle, plan = self._handle, _Plan(segments)
        while (part := plan.next()) is not None:
            if isinstance(part, bytes):
                yield part
                continue
            block = await handle.read(*part)
            if not block and handle.size is None:
                return
            if not block:
                raise FileChangedError("the file ended before its end while it was sent")
            plan.advance(len(block))
            yield block

    async def aclose(self) -> None:
        """Close the handle."""
        await self._handle.aclose()
