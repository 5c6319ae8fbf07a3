"""Tasks: the loop on which they run, the context in which they do, and a coroutine that begins before its task does.

Begun, it has run until it first waits: what never waits needs neither a turn of the loop nor a watcher. The rest of it
is awaited, or is what a task goes on with.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import Any, TypeVar

from stream_adapter.errors import UnsupportedError

from .context import StepContext

__all__ = ["Begun", "current_loop", "eager_task", "for_task", "running_loop"]

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


class Begun(Coroutine[Any, Any, T], Generator[Any, Any, T]):
    """A coroutine whose first step is run by `begin`. It is made a task of, or awaited after its `first_wait`.

    Args:
        coroutine: one that has not begun.
    """

    __slots__ = ("_coroutine", "_ending", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._waits_for: tuple[Any] | None = None  # what the first step waits for, until the task is handed it
        self._ending: BaseException | None = None  # how the first step ended the coroutine, until that is raised

    def begin(self) -> bool:
        """Run the first step; return True if the coroutine waits now, False if it has ended."""
        try:
            self._waits_for = (self._coroutine.send(None),)
        except BaseException as ending:  # noqa: BLE001  # raised where it is awaited; a StopIteration has the result
            self._ending = ending
        return self._ending is None

    def raise_error(self) -> None:
        """Raise what the first step raised, if it has ended the coroutine with an error."""
        ending, self._ending = self._ending, None  # its traceback refers back to this object
        if ending is not None and not isinstance(ending, StopIteration):
            raise ending

    def send(self, value: Any, /) -> Any:
        """Go on."""
        if self._waits_for is not None:
            (waits_for,), self._waits_for = self._waits_for, None
            return waits_for
        if self._ending is not None:
            ending, self._ending = self._ending, None
            raise ending
        return self._coroutine.send(value)

    def throw(self, error: Any, value: object = None, traceback: object = None, /) -> Any:
        """Raise an exception where the coroutine waits; `value` and `traceback` belong to a form that is not used."""
        if self._ending is not None:
            return self.send(None)
        if self._waits_for is not None:
            (waits_for,), self._waits_for = self._waits_for, None
            # its task was cancelled before it knew what it waits for, and would have cancelled that
            if isinstance(error, asyncio.CancelledError) and waits_for is not None and waits_for.cancel(*error.args):
                return waits_for
        return self._coroutine.throw(error)

    def close(self) -> None:
        """Close it where it waits."""
        self._coroutine.close()

    @coroutine
    def first_wait(self) -> Generator[Any, Any, bool]:
        """Wait for what the first step waits for; return True if the coroutine is then awaited to its end.

        Nothing of this class stands between a task and a coroutine that is awaited after it.
        """
        waits_for: Any = self.send(None)
        while True:
            try:
                yield waits_for
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001  # raised where the coroutine waits
                try:
                    waits_for = self._coroutine.throw(error)
                except StopIteration:
                    return False
            else:
                return True

    def __await__(self) -> Generator[Any, Any, T]:
        """Go on after `first_wait`."""
        return self._coroutine.__await__()


if sys.version_info >= (3, 12):

    def eager_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], context: Context
    ) -> asyncio.Task[T]:
        """Return a task of a coroutine, which has run until it first waited. Call it on the loop."""
        return asyncio.Task(coroutine, loop=loop, context=context, eager_start=True)

else:
    # documented, for implementations of tasks
    from asyncio.tasks import (
        _enter_task,  # pyright: ignore[reportPrivateUsage]
        _leave_task,  # pyright: ignore[reportPrivateUsage]
    )

    def eager_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], context: Context
    ) -> asyncio.Task[T]:
        """Return a task of a coroutine, which has run until it first waited. Call it on the loop.

        The first step is run here, and within it the task is the current one, as it is in all others: what a source
        enters then, such as `asyncio.timeout`, it leaves in the same task.
        """
        begun = Begun(coroutine)
        task = loop.create_task(begun, context=context)
        caller = asyncio.current_task(loop)
        if caller is not None:
            _leave_task(loop, caller)
        _enter_task(loop, task)
        try:
            context.run(begun.begin)
        finally:
            _leave_task(loop, task)
            if caller is not None:
                _enter_task(loop, caller)
        return task
