"""Steps with calls of the engine: written once, and driven in a thread or on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

from stream_adapter.engines import Engine
from stream_adapter.errors import BrokerUnavailableError, PublishTimeoutError

__all__ = ["Asking", "aask", "ask", "call"]

T = TypeVar("T")

Asking: TypeAlias = Generator[Callable[[], Any] | float, Any, T]
"""Yields what asks the engine, and is sent the answer; or seconds to wait."""


async def call(engine: Engine, method: Callable[[], T]) -> T:
    """Ask the engine on behalf of an event loop."""
    if not engine.blocks:
        return method()
    own: Callable[[Callable[[], T]], Awaitable[T]] | None = getattr(engine, "call", None)
    return await (asyncio.to_thread(method) if own is None else own(method))


class _Drive(Generic[T]):
    """Steps that are being driven. `answer` or `fail` resumes them with the outcome of a step.

    Attributes:
        result: what the steps returned, once `step` has returned None.
    """

    result: T

    def __init__(self, steps: Asking[T]) -> None:
        self._steps = steps
        self._resume: Callable[[], Callable[[], Any] | float] = partial(next, steps)

    def step(self) -> Callable[[], Any] | float | None:
        """Resume the steps; return the next one, None at the end."""
        try:
            step = self._resume()
        except StopIteration as end:
            self.result = end.value
            return None
        self._resume = partial(next, self._steps)
        return step

    def answer(self, value: object) -> None:
        """Resume with the engine's answer."""
        self._resume = partial(self._steps.send, value)

    def fail(self, error: Exception) -> None:
        """Resume with an exception, which the steps handle or raise.

        An engine that did not answer in time is away, as for a listener. What it was asked for may be done: a run that
        was claimed so has no producer, and is lost after its lease.
        """
        if isinstance(error, PublishTimeoutError):
            away = BrokerUnavailableError(str(error))
            away.__cause__ = error
            error = away
        self._resume = partial(self._steps.throw, error)


def ask(steps: Asking[T]) -> T:
    """Drive steps in this thread."""
    drive = _Drive(steps)
    while (step := drive.step()) is not None:
        if isinstance(step, (int, float)):
            time.sleep(step)
            continue
        try:
            drive.answer(step())
        except Exception as error:  # noqa: BLE001  # the steps decide
            drive.fail(error)
    return drive.result


async def aask(engine: Engine, steps: Asking[T]) -> T:
    """Drive steps on this event loop."""
    drive = _Drive(steps)
    while (step := drive.step()) is not None:
        if isinstance(step, (int, float)):
            await asyncio.sleep(step)
            continue
        try:
            drive.answer(await call(engine, step))
        except Exception as error:  # noqa: BLE001  # the steps decide
            drive.fail(error)
    return drive.result
