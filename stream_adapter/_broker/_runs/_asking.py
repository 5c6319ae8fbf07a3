"""Steps with calls of the engine: written once, and driven in a thread or on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar

from stream_adapter.engines import Engine

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


def ask(steps: Asking[T]) -> T:
    """Drive steps in this thread."""
    try:
        step = next(steps)
        while True:
            if isinstance(step, (int, float)):
                time.sleep(step)
                step = next(steps)
                continue
            try:
                answer = step()
            except Exception as error:  # noqa: BLE001  # the steps decide
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


async def aask(engine: Engine, steps: Asking[T]) -> T:
    """Drive steps on this event loop."""
    try:
        step = next(steps)
        while True:
            if isinstance(step, (int, float)):
                await asyncio.sleep(step)
                step = next(steps)
                continue
            try:
                answer = await call(engine, step)
            except Exception as error:  # noqa: BLE001  # the steps decide
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
