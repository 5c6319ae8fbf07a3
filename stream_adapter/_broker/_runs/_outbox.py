"""The items that a source has yielded and the engine has not stored. It is bounded: a full outbox pauses the source.

Its driver, a task or a thread, puts; the production takes, on its loop. Items that are there together are taken
together: after each step of a task, and as soon as the loop comes to it for a thread.

Each field has one writer, as in the pump's buffer, so that an item takes no lock. A source that waits for room says so
and checks once more; what makes room, or ends the wait, does so first and then checks whether one waits.

    driver        payloads (append), count, total, is_waited_for
    production    payloads (from the front), taken
"""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["LimitError", "Outbox", "Stopped"]

MAX_RECORDS = 10_000
MAX_BYTES = 8 << 20

_FRAMING = 2  # bytes of a payload beside the data: its kind, and the end of its first line
_PENDING = 256  # items that wait for the engine
_PENDING_BYTES = 1 << 18


class LimitError(Exception):
    """A run has come to one of its limits; the text is for its clients."""


class Stopped(BaseException):
    """The run is over: nothing more is taken of its source."""


class Outbox:
    """Items on their way to the engine.

    Args:
        wake: tells the production that a thread has put something.
    """

    __slots__ = (
        "_has_room",
        "_is_waited_for",
        "_most",
        "_on_room",
        "_payloads",
        "_taken",
        "_wake",
        "count",
        "is_closed",
        "total",
    )

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._has_room = threading.Condition()
        self._is_waited_for = False  # by a thread
        self._on_room: Callable[[], None] | None = None  # of a task that waits
        self._payloads: list[bytes] = []
        self._taken = 0  # of the total
        self._most = _PENDING
        self.is_closed: bool = False
        self.count: int = 0
        self.total: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._payloads

    def put(self, payload: bytes) -> bool:
        """Add an item; return True if the source must wait for room. The production takes it after the task's step.

        Raises:
            LimitError: it is one too many.
            Stopped: the run is over.
        """
        if self.is_closed:
            raise Stopped
        self.count += 1
        self.total += len(payload) - _FRAMING
        if self.count > MAX_RECORDS:
            raise LimitError(f"the run has more than {MAX_RECORDS:,} records")
        if self.total > MAX_BYTES:
            raise LimitError(f"the run has more than {MAX_BYTES >> 20} MiB")
        self._payloads.append(payload)
        return len(self._payloads) >= self._most or self.total - self._taken >= _PENDING_BYTES

    def _must_wait(self) -> bool:
        is_full = len(self._payloads) >= self._most or self.total - self._taken >= _PENDING_BYTES
        return is_full and not self.is_closed

    def put_in_thread(self, payload: bytes) -> None:
        """Add an item, in a thread, and wait for room.

        Raises:
            LimitError: it is one too many.
            Stopped: the run is over.
        """
        is_full = self.put(payload)
        if len(self._payloads) == 1:  # else the production was woken for those before it
            self._wake()
        if is_full:
            self._wait()

    def _wait(self) -> None:
        with self._has_room:
            self._is_waited_for = True
            self._has_room.wait_for(lambda: not self._must_wait())
            self._is_waited_for = False

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call back once there is room: at once, or in the production's task. It may be called twice."""
        self._on_room = callback
        if not self._must_wait():
            self._wake_source()

    def take(self) -> list[bytes]:
        """Take all that is there."""
        payloads = self._payloads[:]
        del self._payloads[: len(payloads)]
        self._taken = self.total
        self._wake_source()
        if self._payloads:  # put by a thread just now, which did not wake the production: there were others before
            self._wake()
        return payloads

    def _wake_source(self) -> None:
        callback, self._on_room = self._on_room, None
        if callback is not None:
            callback()
        if self._is_waited_for:
            with self._has_room:
                self._has_room.notify_all()

    def limit_to_one(self) -> None:
        """Let the source wait for room after each item; call it in any thread."""
        self._most = 1

    def close(self) -> None:
        """Take nothing more from the source; what is there can still be taken."""
        self.is_closed = True
        self._wake_source()
