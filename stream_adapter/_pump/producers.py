"""The side of the crossing that owns the source: it iterates it, encodes its items, and closes it.

    TaskProducer     an async source, in one task: iterated and closed there, in the stream's context
    ThreadProducer   a sync source, in one thread, in jobs: a job ends when the window is full, and the consumer submits
                     the next one, so a thread never stands waiting for a slow client
    InlineProducer   a sync source that never waits (a list), or may fill a block: iterated by the consumer itself

Whoever consumes sees the end (`window.ended`) only after the source is closed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from typing import Any, Protocol

from .bells import Bell, LoopBell
from .window import Window

__all__ = ["AnySource", "Encoder", "InlineProducer", "Producer", "TaskProducer", "ThreadProducer", "undecided"]

logger = logging.getLogger("stream_adapter")


class AnySource(Protocol):
    """What the pump asks of a source."""

    def iterate(self) -> Iterator[object]: ...
    def aiterate(self) -> AsyncIterator[object]: ...
    def close(self, run: Callable[[Coroutine[Any, Any, Any]], object]) -> None: ...
    async def aclose(self) -> None: ...


class Encoder(Protocol):
    """What the pump asks of a format: a table from types to functions, and the end of the stream."""

    @property
    def table(self) -> Mapping[type, Callable[[Any], bytes]]: ...
    def explain(self, error: BaseException, item: object) -> BaseException: ...
    def finish(self) -> bytes: ...


def undecided(_: Any) -> bytes:
    """Stand for the encode function of a hot loop until the first item says which it is."""
    raise NotImplementedError


class Producer:
    """What the consumer sees."""

    def __init__(self, source: AnySource, encoder: Encoder, window: Window, bell: Bell, context: Context) -> None:
        self.source = source
        self.encoder = encoder
        self.window = window
        self.bell = bell
        self.context = context
        self.stopping = False

    def start(self) -> None:
        """Begin to iterate the source."""

    def pull(self) -> bool:
        """Fill the empty window if it is the consumer's to do; say whether it was."""
        return False

    def resume(self) -> None:
        """Go on: the consumer has taken what was there."""

    def stop(self) -> None:
        """Close the source as soon as it lets go, then end the window."""
        self.stopping = True
        self.bell.insist()  # so that the loop stops to ring at its next item, and looks at `stopping`

    def _fill(self, iterator: Iterator[object]) -> bool:
        """Iterate until the source must pause (False) or is exhausted (True). The hot loop of sync sources."""
        window, bell, table = self.window, self.bell, self.encoder.table
        items, max_items = window.items, window.max_items
        granted = room = window.grant(0)
        last: object = None  # the type of the last item: most streams have one type, and one function, throughout
        encode: Callable[[Any], bytes] = undecided
        for item in iterator:
            if type(item) is not last:
                last = type(item)
                encode = table[type(item)]
            try:
                chunk = encode(item)
            except Exception as error:
                raise self.encoder.explain(error, item) from error
            items.append(chunk)
            room -= len(chunk)
            if bell.listening:
                bell.ring()
                if not self._may_go_on():
                    window.grant(granted - room)
                    return False
            if room <= 0 or len(items) >= max_items:
                granted = room = window.grant(granted - room)
                if not room:
                    return False
        window.grant(granted - room)
        self._finish()
        return True

    def _finish(self) -> None:
        if tail := self.encoder.finish():
            self.window.put_frame(tail)

    def _may_go_on(self) -> bool:
        return not self.stopping

    def _close_sync(self) -> None:
        try:
            self.source.close(asyncio.run)
        except BaseException:
            logger.exception("the source of a stream failed to close")


class InlineProducer(Producer):
    """Owned by the consumer's own thread or task."""

    _iterator: Iterator[object] | None = None

    def start(self) -> None:
        """Fill the window a first time."""
        self.pull()

    def pull(self) -> bool:
        """Run the source until the window is full."""
        if not self.window.ended:
            self.context.run(self._pull)
        return True

    def _pull(self) -> None:
        error: BaseException | None = None
        try:
            if self._iterator is None:
                self._iterator = self.source.iterate()
            if not self._fill(self._iterator):
                return
        except BaseException as raised:  # noqa: BLE001  # the consumer raises it, after what came before
            error = raised
        self._close_sync()
        self.window.end(error)

    def stop(self) -> None:
        """Close the source at once: nobody is inside it."""
        super().stop()
        if not self.window.ended:
            self.context.run(self._close_sync)
            self.window.end()


class ThreadProducer(Producer):
    """Owned by the thread that runs the jobs.

    Args:
        submit: runs a job in the source's thread, after those before it.
        release: called once, in the thread, after the source is closed: nothing more is submitted.
        slice_seconds: how long one job may go on while the thread has other work to do; None: it has none.
    """

    def __init__(
        self,
        *owned: Any,
        submit: Callable[[Callable[[], object]], object],
        release: Callable[[], object],
        slice_seconds: float | None,
    ) -> None:
        super().__init__(*owned)
        self._submit = submit
        self._release = release
        self._slice = slice_seconds
        self._until = 0.0
        self._parked = False  # no job runs, and the next one is the consumer's to submit
        self._parking = threading.Lock()
        self._iterator: Iterator[object] | None = None

    def start(self) -> None:
        """Submit the next job."""
        self._submit(self._job)

    def resume(self) -> None:
        """Submit the next job if the last one found the window full."""
        if self._parked and self._unpark():
            self.start()

    def stop(self) -> None:
        """Let the running job see it, or submit one that closes the source."""
        super().stop()
        self.resume()

    def _may_go_on(self) -> bool:
        return not self.stopping and (self._slice is None or time.monotonic() < self._until)

    def _job(self) -> None:
        self.context.run(self._work)

    def _work(self) -> None:
        error: BaseException | None = None
        if self._slice is not None:
            self._until = time.monotonic() + self._slice
        try:
            if self._iterator is None and not self.stopping:
                self._iterator = self.source.iterate()
            while not self.stopping and self._iterator is not None and not self._fill(self._iterator):
                if not self.window.is_full():
                    self.start()  # the slice is over: behind whatever else waits for this thread
                    return
                if self._park():
                    return
        except BaseException as raised:  # noqa: BLE001  # the consumer raises it, after what came before
            error = raised
        self._close_sync()
        self._release()
        self.window.end(error)
        self.bell.ring()

    def _park(self) -> bool:
        """Leave the next job to the consumer; False if it is still this job's turn, because there is room again."""
        self._parked = True
        if self.window.is_full() and not self.stopping:
            return True
        return not self._unpark()

    def _unpark(self) -> bool:
        """Take the next job upon oneself; False if the other side has."""
        with self._parking:
            was_parked, self._parked = self._parked, False
        return was_parked


class TaskProducer(Producer):
    """Owned by one task of `loop`, where the source is iterated and closed.

    Args:
        loop: where the task runs.
        crossing: whether the consumer is in another thread.
        around: a context manager to hold around the source, entered in its task.
    """

    def __init__(
        self,
        *owned: Any,
        loop: asyncio.AbstractEventLoop,
        crossing: bool,
        around: Callable[[], AbstractAsyncContextManager[object]] | None,
    ) -> None:
        super().__init__(*owned)
        self._loop = loop
        self._crossing = crossing
        self._around = around
        self._task: asyncio.Task[None] | None = None
        self._iterating = False
        self._room: LoopBell | None = None

    def start(self) -> None:
        """Create the task."""
        self._in_loop(self._begin)

    def resume(self) -> None:
        """Wake the task if it waits for room."""
        room = self._room
        if room is not None:
            room.ring()

    def stop(self) -> None:
        """Cancel the source's step; its task then closes it."""
        super().stop()
        self._in_loop(self._cancel)

    def _in_loop(self, act: Callable[[], None]) -> None:
        if not self._crossing:
            act()
            return
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop is closed, and with it every task of it ended
            self.window.end()

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._run(), context=self.context)

    def _cancel(self) -> None:
        # Before, the task looks at `stopping` first; afterwards, it is closing the source, which is not to be cut short
        if self._iterating and self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._room = LoopBell(crossing=self._crossing)
            if self._around is None:
                error = await self._own()
            else:
                async with self._around():
                    error = await self._own()
        except BaseException as raised:  # noqa: BLE001  # the consumer raises it, after what came before
            error = raised
        if self.stopping and isinstance(error, asyncio.CancelledError):
            error = None
        self.window.end(error)
        self.bell.ring()

    async def _own(self) -> BaseException | None:
        error: BaseException | None = None
        try:
            if not self.stopping:
                self._iterating = True
                await self._iterate()
        except BaseException as raised:  # noqa: BLE001  # the consumer raises it, after what came before
            error = raised
        self._iterating = False
        try:
            await self.source.aclose()
        except BaseException:
            logger.exception("the source of a stream failed to close")
        return error

    async def _iterate(self) -> None:
        """Iterate until the source is exhausted. The hot loop of async sources, line for line that of `_fill`."""
        window, bell, table = self.window, self.bell, self.encoder.table
        items, max_items = window.items, window.max_items
        granted = room = window.grant(0)
        last: object = None  # the type of the last item: most streams have one type, and one function, throughout
        encode: Callable[[Any], bytes] = undecided
        async for item in self.source.aiterate():
            if type(item) is not last:
                last = type(item)
                encode = table[type(item)]
            try:
                chunk = encode(item)
            except Exception as error:
                raise self.encoder.explain(error, item) from error
            items.append(chunk)
            room -= len(chunk)
            if bell.listening:
                bell.ring()
                if self.stopping:
                    return
            if room <= 0 or len(items) >= max_items:
                granted = room = window.grant(granted - room)
                if not room:
                    await self._wait_for_room()
                    if self.stopping:
                        return
                    granted, max_items = window.grant(0), window.max_items  # both are less while the source rests
                    room = granted
        window.grant(granted - room)
        self._finish()

    async def _wait_for_room(self) -> None:
        window, room = self.window, self._room
        while room is not None and window.is_full() and not self.stopping:
            await room.wait(lambda: not window.is_full())
