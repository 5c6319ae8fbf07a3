"""What asgiref keeps for a request, as seen by a stream, which outlives the middleware that asgiref keeps it for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from ._compat import current_executor, forget_deadlock, main_loop, request_context, set_current_executor

__all__ = ["stream_context", "under_asgi", "when_request_ends"]

T = TypeVar("T")


def under_asgi() -> bool:
    """Return True on the loop of an ASGI request, or in a thread in which asgiref runs sync code for one."""
    loop: asyncio.AbstractEventLoop | None
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = main_loop()
    return loop is not None and loop.is_running()


def when_request_ends(callback: Callable[[], object]) -> None:
    """Call it when the task that serves the ASGI request ends, which is how a dropped response can be noticed.

    Under a sync middleware this is another task, which ends with the view; and without Django's ASGI handler (which
    gives each request a thread) it is a test's.
    """
    task = asyncio.current_task()
    if task is None or current_executor():
        return
    if request_context() is not None:
        task.add_done_callback(lambda _: callback())


def stream_context(make: Callable[[], T]) -> T:
    """Call `make` in a copy of this context that still serves when the middleware, and its threads, have gone on."""
    return copy_context().run(_made_lasting, make)


def _made_lasting(make: Callable[[], T]) -> T:
    forget_deadlock()
    executor = current_executor()
    if executor is not None:
        set_current_executor(_WhileItWaits(executor))
    return make()


class _WhileItWaits:
    """A sync middleware's executor, which counts for asgiref only as long as that middleware waits for its view.

    While it does, sync code must run in its thread, which is blocked. Afterwards asgiref would go on to submit to it,
    and fail because it "already quit"; false, it makes asgiref look for the request's thread.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    def __bool__(self) -> bool:
        try:
            self._executor.submit(_nothing)
        except RuntimeError:
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)


def _nothing() -> None:
    pass
