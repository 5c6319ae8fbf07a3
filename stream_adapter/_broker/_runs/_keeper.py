"""Keeps the leases of the runs that are produced on one loop: one timer for all, and one exchange for those due.

Everything is done on the loop. While an exchange is under way there is not another one; runs past their timeout are
stopped in the meantime.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextvars import Context
from functools import partial

from stream_adapter._log import logger
from stream_adapter.engines import Engine, RunState
from stream_adapter.engines._together import renew_many
from stream_adapter.errors import BrokerError

from ._asking import call
from ._lease import Lease, Stop

__all__ = ["Keeper"]


class Keeper:
    """The leases of the runs of one loop.

    It does not refer to its loop while there are not any.

    Args:
        engine: where they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._leases: dict[Lease, None] = {}
        self._timer: tuple[float, asyncio.TimerHandle] | None = None
        self._exchange: asyncio.Task[None] | None = None

    def add(self, lease: Lease) -> None:
        """Keep a lease until it is removed, or its run is stopped."""
        self._leases[lease] = None
        self._wake_at(min(lease.due, lease.ends))

    def remove(self, lease: Lease) -> None:
        """Keep a lease no more. Does nothing the second time."""
        self._leases.pop(lease, None)
        if not self._leases and self._timer is not None:
            self._timer[1].cancel()
            self._timer = None

    def look(self, lease: Lease) -> None:
        """Check soon whether a run was cancelled."""
        if lease in self._leases:
            lease.look()
            self._wake_at(lease.due)

    def _wake_at(self, at: float) -> None:
        if self._timer is not None:
            if self._timer[0] <= at:
                return
            self._timer[1].cancel()
        loop, left = asyncio.get_running_loop(), max(at - time.monotonic(), 0)
        self._timer = at, loop.call_later(left, self._tick, context=Context())

    def _tick(self) -> None:
        self._timer = None
        now = time.monotonic()
        for lease in [lease for lease in self._leases if lease.ends <= now]:
            self._stop(lease, "timeout")
        if self._exchange is None and any(lease.due <= now for lease in self._leases):
            due = [lease for lease in self._leases if lease.soon <= now]
            self._exchange = asyncio.get_running_loop().create_task(self._renew(due), context=Context())
        self._wake_for_next()

    def _wake_for_next(self) -> None:
        times = [lease.ends for lease in self._leases]
        if self._exchange is None:
            times += [lease.due for lease in self._leases]
        following = min(times, default=float("inf"))
        if following < float("inf"):
            self._wake_at(following)

    def _stop(self, lease: Lease, reason: Stop) -> None:
        self.remove(lease)
        lease.stop(reason)

    async def _renew(self, leases: Sequence[Lease]) -> None:
        now = time.monotonic()
        for lease in leases:
            lease.ask(now)
        renewals = [(lease.key, lease.token, lease.seconds) for lease in leases]
        replies: Sequence[RunState | Exception]
        try:
            replies = await call(self._engine, partial(renew_many, self._engine, renewals))
        except Exception as error:  # noqa: BLE001  # the leases last for some more attempts
            if not isinstance(error, BrokerError):
                logger.exception("renewing the leases of %d runs failed; trying again", len(leases))
            replies = [error] * len(leases)
        finally:
            self._exchange = None
        for lease, reply in zip(leases, replies, strict=True):
            reason = lease.answer(reply)
            if reason is not None and lease in self._leases:
                self._stop(lease, reason)
        self._wake_for_next()
