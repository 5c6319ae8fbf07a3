"""Tasks: the loop on which they run, the context in which they do, and a coroutine that begins before its task does.

Begun, it has run until it first waits: what never waits needs neither a turn of the loop nor a watcher. The rest of it
is awaited, or is what a task goes on with. Its first step can be one of a task that waits for something else.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.tasks import (  # documented, for implementations of tasks
    _enter_task,  # pyright: ignore[reportPrivateUsage]
    _leave_task,  # pyright: ignore[reportPrivateUsage]
)
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import Any, Generic, TypeVar

from stream_adapter.errors import UnsupportedError

from .context import StepContext

__all__ = ["Begun", "context_of", "current_loop", "eager_task", "for_task", "running_loop", "step_as"]

T = TypeVar("T")


def current_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread; None if there is not one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that runs in this thread.

    Raises:
        UnsupportedError: there is not any; trio's is not an asyncio loop.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UnsupportedError(
            "expected a running asyncio event loop, got none; trio is not supported: run the server or the test on"
            " asyncio (hypercorn -k asyncio, TestClient(app, backend='asyncio'), asyncio.run)"
        ) from None


def for_task(context: StepContext) -> Context:
    """Return a context for an asyncio task, which accepts a `contextvars.Context` only."""
    return context if isinstance(context, Context) else copy_context()


class Begun(Generic[T]):
    """A coroutine whose first step is run by `begin`. What is left of it is awaited after its `first_wait`.

    Nothing of this class then stands between a task and the coroutine.

    Args:
        coroutine: one that has not begun, or whose first step was run elsewhere.
        waits_for: what that waits for.

    Attributes:
        waits: whether it has not ended.
    """

    __slots__ = ("_coroutine", "_ending", "_waits_for", "waits")

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: Any = None) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for
        self._ending: BaseException | None = None  # how it ended the coroutine, until that is raised
        self.waits: bool = True

    def begin(self) -> bool:
        """Run the first step; return True if the coroutine waits now, False if it has ended."""
        try:
            self._waits_for = self._coroutine.send(None)
        except BaseException as ending:  # noqa: BLE001  # raised where it is awaited; a StopIteration has the result
            self._ending, self.waits = ending, False
        return self.waits

    def result(self) -> T:
        """Return what the coroutine returned, or raise what it raised, once it has ended."""
        ending, self._ending = self._ending, None
        try:
            if isinstance(ending, StopIteration):
                result: T = ending.value
                return result
            raise ending or RuntimeError("the coroutine has not ended")
        finally:
            del ending  # its traceback has this frame

    def first_wait(self, cancelled: asyncio.CancelledError | None = None) -> FirstWait:
        """Return what waits for what the first step waits for: True if the coroutine is then awaited to its end.

        Args:
            cancelled: of a task that did not know what it waits for, and would have cancelled that.
        """
        if cancelled is not None and not self._cancel_wait(cancelled):
            self.throw(cancelled)
        return FirstWait(self)

    def _cancel_wait(self, cancelled: asyncio.CancelledError) -> bool:
        return self._waits_for is not None and self._waits_for.cancel(*cancelled.args)

    def take_wait(self) -> Any:
        """Return what the coroutine waits for, once."""
        waits_for, self._waits_for = self._waits_for, None
        return waits_for

    def throw(self, error: BaseException) -> None:
        """Raise an error where the coroutine waits; it then waits for something else, or has ended."""
        try:
            self._waits_for = self._coroutine.throw(error)
        except StopIteration as ending:
            self._ending, self.waits = ending.with_traceback(None), False  # which has this frame
        finally:
            del error  # its traceback has this frame

    def close(self) -> None:
        """Close the coroutine where it waits."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        """Go on after `first_wait`."""
        return self._coroutine.__await__()


class FirstWait(Generator[Any, None, bool]):
    """The first wait of a coroutine that has begun, in the task that awaits this.

    A silent stream stays in it, and a generator function's would take four times the memory.
    """

    __slots__ = ("_begun", "_is_over")

    def __init__(self, begun: Begun[Any]) -> None:
        self._begun = begun
        self._is_over = not begun.waits

    def __await__(self) -> FirstWait:
        return self

    def send(self, _: None, /) -> Any:
        """Return what the task waits for; at the end, whether the coroutine is to be awaited."""
        if self._is_over:
            raise StopIteration(self._begun.waits)
        self._is_over = True
        return self._begun.take_wait()

    def throw(self, error: Any, value: object = None, traceback: object = None, /) -> Any:
        """Raise an error where the coroutine waits."""
        del value, traceback  # of callers before Python 3.12
        try:
            self._begun.throw(error)
        finally:
            del error  # its traceback has this frame
        self._is_over = not self._begun.waits
        return self.send(None)

    def close(self) -> None:
        """Close the coroutine where it waits."""
        self._begun.close()


def step_as(task: asyncio.Task[Any], context: Context, step: Callable[..., T], *arguments: Any) -> T:
    """Run a step as one of a task that does not run: in its context, and it is the current one. Call it on its loop.

    What the step enters, such as `asyncio.timeout`, the task may leave.
    """
    loop = task.get_loop()
    caller = asyncio.current_task(loop)  # asked first: the error of `_enter_task` describes both tasks, in 10 µs
    if caller is not None:
        _leave_task(loop, caller)
    _enter_task(loop, task)
    try:
        return context.run(step, *arguments)
    finally:
        _leave_task(loop, task)
        if caller is not None:
            _enter_task(loop, caller)


if sys.version_info >= (3, 12):

    def context_of(task: asyncio.Task[Any], waits_for: asyncio.Future[Any]) -> Context:
        """Return the context of a task that waits for a future."""
        del waits_for
        return task.get_context()

    def eager_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], context: Context
    ) -> asyncio.Task[T]:
        """Return a task of a coroutine, which has run until it first waited. Call it on the loop."""
        return asyncio.Task(coroutine, loop=loop, context=context, eager_start=True)

else:

    def context_of(task: asyncio.Task[Any], waits_for: asyncio.Future[Any]) -> Context:
        """Return the context of a task that waits for a future: the future calls the task back in it."""
        del task
        callbacks: Any = waits_for._callbacks  # noqa: SLF001  # a task of Python 3.11 does not tell its context
        return callbacks[0][1]  # type: ignore[no-any-return]

    def eager_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], context: Context
    ) -> asyncio.Task[T]:
        """Return a task of a coroutine, which has run until it first waited. Call it on the loop."""
        begun = Begun(coroutine)
        rest = _rest_of(begun)
        rest.send(None)  # a task that is cancelled before its first step would otherwise not enter it at all
        task = loop.create_task(rest, context=context)
        step_as(task, context, begun.begin)
        return task

    async def _rest_of(begun: Begun[T]) -> T:
        """Go on with it in a task whose first step follows this one's."""
        try:
            await _one_step()
        except asyncio.CancelledError as cancelled:
            goes_on = begun.waits and await begun.first_wait(cancelled)
        else:
            goes_on = begun.waits and await begun.first_wait()
        return await begun if goes_on else begun.result()

    @coroutine
    def _one_step() -> Generator[None]:
        yield
