"""A coroutine that calls back after each of its steps, before its task's loop does anything else.

A step is what runs between two waits. What a source has yielded in one step is handed on together, in no turn of the
loop of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Stepped"]


class Stepped(Coroutine[Any, Any, None]):
    """A coroutine for a task.

    Args:
        coroutine: one that has not begun.
        after: called where the coroutine waits, after each step but the last. It does not raise.
        block: called in another thread if a step blocks the loop, with the place the first time, and None later.
        watched: the loop, as the watcher knows it.
    """

    __slots__ = ("_after", "_coroutine", "block", "watched")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, None],
        after: Callable[[], object],
        block: Callable[[str | None], object],
        watched: object | None,
    ) -> None:
        self._coroutine = coroutine
        self._after = after
        self.block = block
        self.watched = watched

    def send(self, value: Any, /) -> Any:
        """Run a step."""
        waits_for = self._coroutine.send(value)
        self._after()
        return waits_for

    def throw(self, error: Any, value: object = None, traceback: object = None, /) -> Any:
        """Run a step that begins with an exception; `value` and `traceback` belong to a form that is not used."""
        waits_for = self._coroutine.throw(error)
        self._after()
        return waits_for

    def close(self) -> None:
        """Close the coroutine where it waits."""
        self._coroutine.close()

    def __await__(self) -> Any:
        """Refuse: it is for a task."""
        raise NotImplementedError
