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
        handle = self._handle
        for segment in segments:
            if isinstance(segment, bytes):
                yield segment
                continue
            position = segment.start
            while position < segment.stop:
                block = handle.read(position, min(BLOCK, segment.stop - position))
                if not block and handle.size is None:
                    return
                if not block or handle.has_changed():  # looked at after the read: so the block is as it was
                    raise FileChangedError("the file was changed while it was sent")
                position += len(block)
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
        handle = self._handle
        for segment in segments:
            if isinstance(segment, bytes):
                yield segment
                continue
            position = segment.start
            while position < segment.stop:
                block = await handle.read(position, min(BLOCK, segment.stop - position))
                if not block and handle.size is None:
                    return
                if not block:
                    raise FileChangedError("the file ended before its end while it was sent")
                position += len(block)
                yield block

    async def aclose(self) -> None:
        """Close the handle."""
        await self._handle.aclose()
