"""A source that is not iterated: it puts its chunks itself, from a task of its own, as an ASGI application does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .base import Producer, undecided

__all__ = ["PushProducer"]


class PushProducer(Producer):
    """Owned by whoever puts. There may be several who do, on one loop with the consumer.

    Args:
        on_stop: called once if the stream is over before its source has said so: it is to have the source end.
        ending: makes what a source is told that goes on all the same.
    """

    __slots__ = ("_changed", "_encode", "_ending", "_idle", "_last", "_on_stop")

    def __init__(self, *owned: Any, on_stop: Callable[[], object], ending: Callable[[], Exception]) -> None:
        super().__init__(*owned)
        self._on_stop = on_stop
        self._ending = ending
        self._changed = asyncio.Event()
        self._idle = False
        self._last: type | None = None
        self._encode: Callable[[Any], bytes] = undecided

    async def put(self, item: object) -> None:
        """Append a chunk, and wait while the buffer is full.

        Raises:
            ChunkEncodingError: it cannot be sent.
            Exception: the stream is over, and takes nothing more.
        """
        if self.stopping:
            raise self._ending()
        buffer = self.buffer
        if type(item) is not self._last:
            self._last = type(item)
            self._encode = self.encoder.table[type(item)]
        try:
            chunk = self._encode(item)
        except Exception as error:  # noqa: BLE001  # whatever a codec raises is about the chunk
            problem = self.encoder.explain(error, item)
            raise problem from problem.__cause__
        if not chunk:
            return
        self._idle = False
        is_full = buffer.put(chunk)
        if self.waker.waiting:
            self.waker.wake()
        if is_full:
            await self._wait(lambda: not buffer.is_full())

    async def flush(self) -> None:
        """Wait until all that was put has been sent, and the head of the response even if nothing was."""
        self._idle = False
        self.buffer.put_frame(b"")
        self.waker.wake()
        await self._wait(lambda: self._idle and not self.buffer.items)

    def finish(self, error: BaseException | None = None) -> None:
        """Say that nothing follows. Does nothing the second time."""
        if self.buffer.ended:
            return
        if error is None:
            self._finish()
        self.buffer.end(error)
        self.waker.wake()

    def pull(self) -> bool:
        """Be told that the buffer is empty and what was in it sent."""
        self._idle = True
        self._changed.set()
        return False

    def resume(self) -> None:
        """Wake those who wait for room."""
        self._changed.set()

    def stop(self) -> None:
        """Have the source end, and then wake those who still wait, for one may have escaped that."""
        super().stop()
        if not self.buffer.ended:
            self._on_stop()
        asyncio.get_running_loop().call_soon(self._changed.set)

    async def _wait(self, holds: Callable[[], bool]) -> None:
        while not holds() and not self.stopping:
            self._changed.clear()
            await self._changed.wait()
