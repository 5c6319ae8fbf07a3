"""The lease of a run that is produced here: renewed at a third of it, and the limit for attempts without an answer.

Where the engine cannot be reached, the producer tries again as long as the lease lasts. After that the run is not this
producer's any more: its source is closed, and a reader writes "lost".
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Literal, TypeAlias

from stream_adapter.engines import Engine, RunState
from stream_adapter.errors import BrokerError, FencedError

from ._asking import call

__all__ = ["Lease", "Stop"]

Stop: TypeAlias = Literal["cancelled", "timeout", "fenced"]

_NOTICES = 0.2  # seconds between two looks at a run's state, however many notices there are
_PAUSES = (0.05, 0.1, 0.25, 0.5)  # seconds between two attempts, where the engine cannot be reached


class Lease:
    """A claim that is kept.

    Args:
        engine: where it is.
        key: the engine's name of the run's channel.
        state: the claim.
        seconds: how long it lasts.

    Attributes:
        seconds: the same.
        noticed: set when the engine has reported a change, such as a cancellation; on the run's loop.
    """

    def __init__(self, engine: Engine, key: str, state: RunState, seconds: float) -> None:
        self._engine = engine
        self._key = key
        self._epoch = state.epoch
        self._token = state.token
        self.seconds: float = seconds
        self._until = time.monotonic() + seconds
        self.noticed: asyncio.Event = asyncio.Event()

    async def keep(self, timeout: float | None) -> Stop:
        """Renew the lease, and look for a cancellation; return why the run must stop.

        Args:
            timeout: seconds that the run may take; None: any.
        """
        now = time.monotonic()
        ends = None if timeout is None else now + timeout
        due = now + self.seconds / 3
        while True:
            await asyncio.sleep(min(_NOTICES, self.seconds / 10))  # however many notices there are
            left = min(due, due if ends is None else ends) - time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(left, 0)):
                    await self.noticed.wait()
            now = time.monotonic()
            if ends is not None and now >= ends:
                return "timeout"
            self.noticed.clear()
            try:
                if now >= due:
                    is_cancelled = await self._renew()
                    due = now + self.seconds / 3
                else:
                    is_cancelled = await self._is_cancelled()
            except FencedError:
                return "fenced"
            except BrokerError:
                if time.monotonic() > self._until:
                    return "fenced"
                due = time.monotonic() + min(_PAUSES[-1], self.seconds / 10)
                continue
            if is_cancelled:
                return "cancelled"

    async def pause(self, error: BrokerError, attempt: int) -> None:
        """Wait before the next attempt.

        Raises:
            FencedError: the lease has ended.
        """
        pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
        if time.monotonic() + pause > self._until:
            raise FencedError("the lease has ended while the engine could not be reached") from error
        await asyncio.sleep(pause)

    async def _renew(self) -> bool:
        """Renew it; return True if the run was cancelled."""
        now = time.monotonic()
        state = await call(self._engine, partial(self._engine.renew, self._key, self._token, lease=self.seconds))
        self._until = now + self.seconds
        return state.cancelled

    async def _is_cancelled(self) -> bool:
        state = await call(self._engine, partial(self._engine.run_state, self._key))
        return state is not None and state.epoch == self._epoch and state.cancelled
