"""An async source in a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from stream_adapter._pump import blocking
from stream_adapter._pump.tasks import eager_task, for_task
from stream_adapter._pump.wakeups import LoopWaker

from .base import Pipe, Producer, undecided

__all__ = ["Cancelled", "TaskProducer"]


class Cancelled(AsyncIterator[object]):
    """A source that goes on with a cancellation of its own: one that came while the task waited for room.

    The task that iterates a source is also the one that its `asyncio.timeout`, `anyio.move_on_after` or TaskGroup
    cancels. Thrown in at the `yield` where a generator stands, the cancellation reaches the block that asked for it.
    The exception is the same object, because anyio recognizes its own by their text.
    """

    def __init__(self, iterator: AsyncIterator[object], cancellation: asyncio.CancelledError) -> None:
        self._iterator = iterator
        self._cancellation: asyncio.CancelledError | None = cancellation

    def __anext__(self) -> Awaitable[object]:
        cancellation, self._cancellation = self._cancellation, None
        if cancellation is None:
            return self._iterator.__anext__()
        throw: Callable[[BaseException], Awaitable[object]] | None = getattr(self._iterator, "athrow", None)
        if throw is not None:
            return throw(cancellation)
        if task := asyncio.current_task():  # no generator: it is cancelled where it waits next
            task.cancel(*cancellation.args)
            task.uncancel()  # it was counted when it came
        return self._iterator.__anext__()


class TaskProducer(Producer):
    """Owned by one task of `loop`, where the source is iterated and closed.

    Args:
        loop: where the task runs.
        threadsafe: whether the consumer is in another thread.
        async_context: entered around the source, in its task.

    Attributes:
        watched: while it runs: the loop as it is watched; None if it is not.
    """

    __slots__ = (
        "_async_context",
        "_blocks",
        "_iterating",
        "_room",
        "_task",
        "_threadsafe",
        "loop",
        "watched",
    )

    def __init__(
        self,
        pipe: Pipe,
        *,
        loop: asyncio.AbstractEventLoop,
        threadsafe: bool,
        async_context: Callable[[], AbstractAsyncContextManager[object]] | None,
    ) -> None:
        super().__init__(pipe)
        self.loop: asyncio.AbstractEventLoop = loop
        self._threadsafe = threadsafe
        self._async_context = async_context
        self._task: asyncio.Task[object] | None = None
        self._iterating = False
        self._blocks = False  # whether the source blocks the loop
        self.watched: object | None = None
        self._room: LoopWaker | None = None

    def start(self) -> None:
        """Create the task, which runs until the source first waits."""
        self._in_loop(self._begin)

    def resume(self) -> None:
        """Wake the task if it waits for room."""
        room = self._room
        if room is not None:
            room.wake()

    def stop(self) -> None:
        """Cancel the source's step; its task then closes it."""
        self._in_loop(self._cancel)

    def _in_loop(self, act: Callable[[], None]) -> None:
        if not self._threadsafe:
            act()
            return
        try:
            self.loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop is closed, and every task of it has ended
            self.buffer.end()

    def _begin(self) -> None:
        self.watched = blocking.watch(self.loop)
        around = self._async_context
        run: Coroutine[Any, Any, object] = self._run() if around is None else self._run_within(around)
        self._task = eager_task(self.loop, run, for_task(self.context))

    def block(self, where: str | None) -> None:
        """Let other tasks run after each item from now on, because the source does not."""
        self._blocks = True
        self.waker.wake_always()
        if where is not None:  # last, so that a reader of the log can rely on it
            self.source.blocks(where)

    async def wait_for_room(self) -> None:
        """Wait until there is room, or the stream is over; let other tasks run in any case."""
        self._account()
        await asyncio.sleep(0)
        await self._wait_for_room()
        self._account()
        self._taken = self.buffer.taken_count

    def _cancel(self) -> None:
        # Before, the task looks at `stopping` first; afterwards, it is closing the source, which must not be cancelled
        if self._iterating and self._task is not None:
            self._task.cancel()
        if self._room is not None:
            self._room.wake()

    async def _run_within(self, async_context: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        error: BaseException | None = None
        try:
            async with async_context():
                error = await self._run()
        except BaseException as raised:  # noqa: BLE001  # raised by the consumer, after the chunks before it
            error = raised
        self._end(error)
        del error  # its traceback may have this frame

    async def _run(self) -> BaseException | None:
        """Iterate until the source is exhausted, or the stream is stopped, and close it; return what ended it.

        It ends the buffer too, unless something is around it: a silent source waits in a coroutine less.
        """
        error: BaseException | None = None
        try:
            if not self.stopping:
                self._iterating = True
                iterator = self.source.aiterate()
                cancellation = await self._put_items(iterator)
                while cancellation is not None:
                    cancellation = await self._put_items(Cancelled(iterator, cancellation))
        except BaseException as raised:  # noqa: BLE001  # raised by the consumer, after the chunks before it
            error = raised
        self._iterating = False
        try:
            await self.source.aclose()
        except BaseException as problem:  # noqa: BLE001  # it is logged, and the stream has ended
            self.source.close_failed(problem)
        try:
            if self._async_context is not None:
                return error
            self._end(error)
        finally:
            del error  # its traceback has this frame
        return None

    def _end(self, error: BaseException | None) -> None:
        if self.stopping and isinstance(error, asyncio.CancelledError):
            error = None
        self.watched = None
        self.buffer.end(error)
        del error  # its traceback may have this frame
        self.waker.wake()

    async def _put_items(  # noqa: C901  # a hot loop
        self, iterator: AsyncIterator[object]
    ) -> asyncio.CancelledError | None:
        """Put each item. The hot loop of async sources; `_fill` is that of sync ones.

        Returns:
            The cancellation that came while the source stood at a `yield`, and that is its own; None at the end.
        """
        buffer, waker, table = self.buffer, self.waker, self.encoder.table
        items = buffer.items
        credit = room = buffer.credit(0)
        taken = buffer.taken_count  # when other tasks have run last
        last: object = None  # the type of the last item: most streams have one type, and one function, throughout
        encode: Callable[[Any], bytes] = undecided
        async for item in iterator:
            if type(item) is not last:
                last = type(item)
                encode = table[type(item)]
            try:
                chunk = encode(item)
            except Exception as error:  # noqa: BLE001  # it is raised, explained
                problem = self.encoder.explain(error, item)
                raise problem from problem.__cause__
            items.append(chunk)
            room -= len(chunk) or buffer.empty_chunk()
            if waker.waiting:
                waker.wake()
                if self.stopping:
                    return None
                if self._blocks:
                    credit, room, taken = credit - room, 0, -1  # as if all was taken up to here
            if room <= 0:
                credit = room = buffer.credit(credit - room)
                if room and taken == buffer.taken_count:
                    continue
                try:
                    if room:
                        await asyncio.sleep(0)  # the other thread takes as fast as this one puts: let other tasks run
                    else:
                        await self._wait_for_room()
                except asyncio.CancelledError as cancellation:
                    return None if self.stopping else cancellation
                if self.stopping:
                    return None
                taken = buffer.taken_count
                credit = room = buffer.credit(0)
        buffer.credit(credit - room)
        self._finish()
        return None

    async def _wait_for_room(self) -> None:
        buffer = self.buffer
        if self._room is None:
            self._room = LoopWaker(threadsafe=self._threadsafe, loop=self.loop)
        while buffer.is_full() and not self.stopping:
            await self._room.wait(lambda: not buffer.is_full())
