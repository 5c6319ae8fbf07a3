"""Sends a block as a step of a task that waits for the source, and leaves it waiting.

To wake a task takes longer than to send an event: it would be called back by its loop, and go through all its
coroutines twice. `send` almost always returns without waiting, as servers write to their sockets. Where it waits, the
task is woken, and goes on where the step has come to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Protocol

from stream_adapter._pump import Begun, context_of, step_as

__all__ = ["EarlySend"]


class Sender(Protocol):
    """What has a task that sends."""

    def put_early(self, block: bytes) -> Coroutine[Any, Any, None]:
        """Send a block."""
        ...


class EarlySend:
    """The sends of one task.

    Args:
        task: the sender's.
        sender: holds this, until it closes it.
    """

    __slots__ = ("_context", "_error", "_sender", "_task", "_unsent")

    def __init__(self, task: asyncio.Task[Any], sender: Sender) -> None:
        self._task = task
        self._context: Context | None = None
        self._sender = sender
        self._unsent: Begun[None] | None = None
        self._error: BaseException | None = None

    def __call__(self, block: bytes, waits_for: asyncio.Future[None]) -> bool:
        """Send a block while the task waits; return False if the task must finish that. Call it on the task's loop."""
        if self._context is None:
            self._context = context_of(self._task, waits_for)
        putting = self._sender.put_early(block)
        try:
            put_waits_for = step_as(self._task, self._context, putting.send, None)
        except StopIteration:
            return True
        except BaseException as error:  # noqa: BLE001  # raised in the task
            self._error = error
        else:
            self._unsent = Begun(putting, put_waits_for)
        return False

    async def finish(self) -> None:
        """Finish in the task what was begun.

        Raises:
            Exception: what `put` has raised.
        """
        error, self._error = self._error, None
        unsent, self._unsent = self._unsent, None
        try:
            if error is not None:
                raise error
            if unsent is not None and await unsent.first_wait():
                await unsent
        finally:
            del error  # its traceback has this frame

    def close(self) -> None:
        """Drop what was begun: the task has ended."""
        unsent, self._unsent, self._error = self._unsent, None, None
        if unsent is not None:
            unsent.close()
