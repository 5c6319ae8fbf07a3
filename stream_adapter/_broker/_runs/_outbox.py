"""The items that a source has yielded and the engine has not stored. It is bounded: a full outbox pauses the source.

Its driver, a task or a thread, puts; the production takes, on its loop. Items that are there together are taken
together: after each step of a task, and as soon as the loop comes to it for a thread.
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

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._has_room = threading.Condition(self._lock)
        self._is_waited_for = False  # by a thread
        self._payloads: list[bytes] = []
        self._bytes = 0
        self._is_closed = False
        self._on_room: Callable[[], None] | None = None
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
        with self._lock:
            if self._is_closed:
                raise Stopped
            self.count += 1
            self.total += len(payload) - _FRAMING
            if self.count > MAX_RECORDS:
                raise LimitError(f"the run has more than {MAX_RECORDS:,} records")
            if self.total > MAX_BYTES:
                raise LimitError(f"the run has more than {MAX_BYTES >> 20} MiB")
            self._payloads.append(payload)
            self._bytes += len(payload)
            return len(self._payloads) >= _PENDING or self._bytes >= _PENDING_BYTES  # `_is_full`, without a call

    def _is_full(self) -> bool:
        return len(self._payloads) >= _PENDING or self._bytes >= _PENDING_BYTES

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
        with self._lock:
            while self._is_full() and not self._is_closed:
                self._is_waited_for = True
                self._has_room.wait()

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call back once there is room: at once, or in the production's task."""
        with self._lock:
            if self._is_full() and not self._is_closed:
                self._on_room = callback
                return
        callback()

    def take(self) -> list[bytes]:
        """Take all that is there."""
        with self._lock:
            payloads, self._payloads, self._bytes = self._payloads, [], 0
            callback, self._on_room = self._on_room, None
            if self._is_waited_for:
                self._wake_thread()
        if callback is not None:
            callback()
        return payloads

    def _wake_thread(self) -> None:
        self._is_waited_for = False
        self._has_room.notify_all()

    def close(self) -> None:
        """Take nothing more from the source; what is there can still be taken."""
        with self._lock:
            self._is_closed = True
            callback, self._on_room = self._on_room, None
            self._wake_thread()
        if callback is not None:
            callback()
