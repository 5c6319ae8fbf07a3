"""A source that is not iterated: it sends its chunks from a task of its own, as an ASGI application does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .base import Pipe, Producer

__all__ = ["PushProducer"]


class PushProducer(Producer):
    """Owned by the tasks that send. They share a loop with the consumer.

    Args:
        on_stop: called once if the stream is over before its source: ends the source.
        ending: makes the exception that `send` raises after that.
    """

    is_pulled = True
    __slots__ = ("_changed", "_ending", "_idle", "_on_stop")

    def __init__(self, pipe: Pipe, *, on_stop: Callable[[], object], ending: Callable[[], Exception]) -> None:
        super().__init__(pipe)
        self._on_stop = on_stop
        self._ending = ending
        self._changed = asyncio.Event()
        self._idle = False

    async def send(self, item: object) -> None:
        """Encode and put a chunk, and wait while the buffer is full.

        Raises:
            ChunkEncodingError: the item cannot be encoded.
            Exception: the stream is over.
        """
        if self.stopping:
            raise self._ending()
        encode = self.encoder.table[type(item)]
        try:
            chunk = encode(item)
        except Exception as error:  # noqa: BLE001  # it is raised, explained
            problem = self.encoder.explain(error, item)
            raise problem from problem.__cause__
        if not chunk:
            return
        self._idle = False
        if self.put(chunk):
            await self.wait_for_room()

    async def wait_for_room(self) -> None:
        """Wait until there is room, or the stream is over."""
        self._account()
        await self._wait(lambda: not self.buffer.is_full())
        self._account()

    async def flush(self) -> None:
        """Wait until all chunks have been sent; the head of the response is sent in any case."""
        self._idle = False
        self.buffer.put_frame(b"")
        self.waker.wake()
        await self._wait(lambda: self._idle and not self.buffer.items)

    def finish(self, error: BaseException | None = None) -> None:
        """Mark the end of the source. Does nothing the second time."""
        if self.buffer.ended:
            return
        if error is None:
            self._finish()
        self.buffer.end(error)
        self.waker.wake()

    def pull(self) -> bool:
        """Mark the buffer as flushed and wake the senders."""
        self._idle = True
        self._changed.set()
        return False

    def resume(self) -> None:
        """Wake the senders that wait for room."""
        self._changed.set()

    def stop(self) -> None:
        """End the source, then wake the senders that still wait: one may have survived that."""
        if not self.buffer.ended:
            self._on_stop()
        asyncio.get_running_loop().call_soon(self._changed.set)

    async def _wait(self, holds: Callable[[], bool]) -> None:
        while not holds() and not self.stopping:
            self._changed.clear()
            await self._changed.wait()
