"""The thread in which a sync source runs: what waits there, for an event of a broker, is woken when its stream is over.

Who owns what: the producer, or the body that iterates the source itself, makes a `SourceThread` in that thread, and
calls `interrupt` in any. What waits finds it by a context variable, which greenlets have, too. Threads that were given
a copy of the context are others, and are not interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["SourceThread", "interruptible", "source_runs_in"]


class SourceThread:
    """The present thread.

    Args:
        ending: returns what to raise where the source waits once the stream is over; None while it goes on.
    """

    __slots__ = ("_ending", "_has_raised", "_wake", "ident")

    def __init__(self, ending: Callable[[], BaseException | None]) -> None:
        self.ident: int = threading.get_ident()
        self._ending = ending
        self._has_raised = False
        self._wake: Callable[[], object] | None = None

    def interrupt(self) -> None:
        """Wake what waits; `ending` returns an exception from now on."""
        wake = self._wake  # read once: the thread takes it back
        if wake is not None:
            wake()

    @contextmanager
    def waiting(self, wake: Callable[[], object]) -> Generator[None]:
        """Let a wait be woken by `wake`, and raise after it, or in its place, if the stream is over."""
        self._wake = wake  # before the look: whichever comes first, the other one sees it
        try:
            self._raise_ending()
            yield
        finally:
            self._wake = None
        self._raise_ending()

    def _raise_ending(self) -> None:
        ending = None if self._has_raised else self._ending()
        if ending is not None:
            self._has_raised = True  # once: a source that catches it and waits again must not spin
            raise ending


_CURRENT: ContextVar[SourceThread | None] = ContextVar("stream_adapter.source_thread", default=None)


def source_runs_in(thread: SourceThread | None) -> None:
    """Note that the source's steps run in this thread, from now on and in this context; None: no more."""
    _CURRENT.set(thread)


@contextmanager
def interruptible(wake: Callable[[], object]) -> Generator[None]:
    """Wait within it: when the stream whose source waits here is over, `wake` is called, and its ending raised."""
    thread = _CURRENT.get()
    if thread is None or thread.ident != threading.get_ident():
        yield
        return
    with thread.waiting(wake):
        yield
