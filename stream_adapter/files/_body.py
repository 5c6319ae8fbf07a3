"""The body of a file, or of parts of it: the bytes that were promised, or an error that breaks the connection."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence

from stream_adapter._pump import in_file_thread, run_in_file_thread
from stream_adapter.errors import FileChangedError

from ._handles import AsyncHandle, Handle
from ._ranges import Segment

__all__ = ["BLOCK", "AsyncFileBody", "DiskFileBody", "FileBody", "everything"]

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


class DiskFileBody(FileBody, AsyncIterator[bytes]):
    """Segments of a file of the disk. On a loop each block is read in a thread, which is another download's next.

    One thread reads at a time; a reader that was cancelled may still be in its read when this is closed, and then the
    handle is closed after it.
    """

    def __init__(self, handle: Handle, segments: Sequence[Segment]) -> None:
        super().__init__(handle, segments)
        self._reading = threading.Lock()
        self._closed = False

    async def __anext__(self) -> bytes:
        block = await in_file_thread(self._next_block, id)
        if block is None:
            raise StopAsyncIteration
        return block

    def _next_block(self) -> bytes | None:
        with self._reading:
            return None if self._closed else next(self._blocks, None)

    def close(self) -> None:
        """Close the handle."""
        if self._reading.acquire(blocking=False):
            self._close_it()
        else:
            run_in_file_thread(self._close_after_read)

    def _close_after_read(self) -> None:
        self._reading.acquire()
        self._close_it()

    def _close_it(self) -> None:
        try:
            if not self._closed:
                self._handle.close()
        finally:
            self._closed = True  # a read that was cancelled may still wait for a thread
            self._reading.release()


class AsyncFileBody(AsyncIterator[bytes]):
    """The same, from an async handle."""

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
