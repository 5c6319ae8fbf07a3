"""The steps of a listener: what it yields or waits for, and how each kind of driver goes on with what came of one."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from stream_adapter._pump import run
from stream_adapter.formats._published import Item

from ._frameworks import call_in_thread

__all__ = [
    "BATCH",
    "FOLLOW",
    "WAIT",
    "Call",
    "Step",
    "Steps",
    "Wait",
    "aresult_of",
    "go_on",
    "result_of",
    "sent",
    "thrown",
]

BATCH = 64  # records that are delivered before other tasks run


class Wait:
    """A step that waits until the listener is woken."""


WAIT: Final = Wait()
FOLLOW: Final = Wait()
"""The same, where `Steps.newest` may be asked what has come, and the steps dropped until it says None."""


@dataclass(frozen=True, slots=True)
class Call:
    """A step that calls a user's function, sync or async, and continues with its result."""

    function: Callable[[], Any]


Step: TypeAlias = list[Item] | Future[Any] | Call | Wait


class Steps(Protocol):
    """A listener that has begun."""

    def steps(self) -> Generator[Step, Any, None]:
        """Yield items, and what to wait for; asked again after `FOLLOW`, from where the listener stands."""
        ...

    def newest(self) -> Sequence[Item] | None:
        """Return what came since `FOLLOW`, at most `BATCH` items; None if the steps must say what is next."""
        ...

    def close(self) -> None:
        """End the listener: it leaves its channels. Does nothing the second time."""
        ...


def go_on(steps: Generator[Step, Any, None], step: object) -> Step | None:
    """Resume steps with what came of one, in this thread; return the next one, None at the end."""
    try:
        result = result_of(step)
    except Exception as error:  # noqa: BLE001  # the steps decide
        return thrown(steps, error)
    return sent(steps, result)


def sent(steps: Generator[Step, Any, None], result: object) -> Step | None:
    """Resume steps with a result; return the next one, None at the end."""
    try:
        return steps.send(result)
    except StopIteration:
        return None


def thrown(steps: Generator[Step, Any, None], error: Exception) -> Step | None:
    """Resume steps with an error; return the next one, None at the end."""
    try:
        return steps.throw(error)
    except StopIteration:
        return None


def result_of(step: Any) -> Any:
    """Return what comes of a step, in this thread."""
    if isinstance(step, Call):
        result = step.function()
        return run(_awaited(result)) if inspect.isawaitable(result) else result
    return step.result()


async def aresult_of(step: Any) -> Any:
    """Return what comes of a step, on this event loop."""
    if isinstance(step, Call):
        function = step.function
        result = function() if inspect.iscoroutinefunction(function) else await call_in_thread(function)
        return await result if inspect.isawaitable(result) else result
    future: Future[Any] = step
    if future.done():
        return future.result()
    return await asyncio.shield(asyncio.wrap_future(future))  # others wait for it, too


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
