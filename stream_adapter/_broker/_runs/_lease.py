"""The lease of a run that is produced here: when it is to be renewed, and the limit for attempts without an answer.

Where the engine cannot be reached, the producer tries again as long as the lease lasts. After that the run is not this
producer's any more: its source is closed, and a reader writes "lost".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from stream_adapter.engines import RunState
from stream_adapter.errors import FencedError

__all__ = ["Lease", "Stop"]

Stop: TypeAlias = Literal["cancelled", "timeout", "fenced"]

_PAUSES = (0.05, 0.1, 0.25, 0.5)  # seconds between two attempts, where the engine cannot be reached
_LATE = 2.0  # seconds
_NOTICES = 0.2  # seconds between two looks at a run, however many notices there are


class Lease:
    """A claim that is kept. It belongs to its loop.

    Args:
        key: the engine's name of the run's channel.
        state: the claim.
        seconds: how long it lasts.
        timeout: seconds that the run may take; None: any.
        stop: called once with the reason why the run must stop.

    Attributes:
        key: the same.
        token: the claim's.
        seconds: the same.
        due: when it is to be renewed, as `time.monotonic` counts.
        ends: when the run has taken too long.
    """

    __slots__ = ("_asked", "_until", "due", "ends", "key", "seconds", "stop", "token")

    def __init__(
        self, key: str, state: RunState, seconds: float, timeout: float | None, stop: Callable[[Stop], object]
    ) -> None:
        now = time.monotonic()
        self.key: str = key
        self.token: int = state.token
        self.seconds: float = seconds
        self.stop: Callable[[Stop], object] = stop
        self.ends: float = float("inf") if timeout is None else now + timeout
        self._asked = now
        self._until = now + seconds
        self.due: float = now + seconds / 3

    @property
    def soon(self) -> float:
        """When it may be renewed together with another that is due: half a period before its own time."""
        return self.due - self.seconds / 6

    def look(self) -> None:
        """Make it due as soon as another look is allowed: a renewal says whether the run was cancelled."""
        self.due = min(self.due, self._asked + min(_NOTICES, self.seconds / 10))

    def ask(self, now: float) -> None:
        """Note that it is renewed now.

        Where the loop was blocked, or the machine slept, this is late, and the connection may be gone: there is a
        moment for another attempt, for the engine decides whose the run is.
        """
        if now > self._until and now - self.due > _LATE:
            self._until = now + _LATE
        self._asked = now
        self.due = now + self.seconds / 3

    def answer(self, reply: RunState | Exception) -> Stop | None:
        """Note the engine's answer; return why the run must stop, None if it goes on."""
        now = time.monotonic()
        if isinstance(reply, RunState):
            self._until = self._asked + self.seconds
            return "cancelled" if reply.cancelled else None
        if isinstance(reply, FencedError) or now > self._until:
            return "fenced"
        self.due = now + min(_PAUSES[-1], self.seconds / 10)
        return None

    async def pause(self, error: Exception, attempt: int) -> None:
        """Wait before the next attempt.

        Raises:
            FencedError: the lease has ended.
        """
        pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
        if attempt and time.monotonic() + pause > self._until:  # the first may have been late: see `ask`
            raise FencedError("the lease has ended while the engine could not be reached") from error
        await asyncio.sleep(pause)
