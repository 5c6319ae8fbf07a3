"""What a producer writes of its run: the items, and in one step with the last of them the end.

A run has one writer, which waits for each answer, so it knows the offset of each item. It gives it to the engine as the
frame's key: an append that is sent again, or arrives late, is stored once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from stream_adapter._broker._ids import ChannelName
from stream_adapter._log import log_stream
from stream_adapter.engines import Engine, Entry, Frame, History, RunState, RunStatus
from stream_adapter.errors import BrokerError, FencedError

from ._asking import call
from ._ending import frame_of_end
from ._lease import Lease

__all__ = ["Journal"]

_ENTRIES = History()  # a run's entries are not trimmed by it


class Journal:
    """The engine's side of a run that is produced here.

    Args:
        engine: where it is written.
        name: the run's channel.
        state: its claim.
        lease: as long as it lasts, an attempt without an answer is repeated.
        append_timeout: seconds that one append may take.
        log_name: the run's name in the log.

    Attributes:
        received: called with what an append has stored, when the engine has answered.
    """

    __slots__ = (
        "_append_timeout",
        "_clock_ahead",
        "_engine",
        "_epoch",
        "_key",
        "_lease",
        "_log_name",
        "_token",
        "_top",
        "received",
    )

    def __init__(  # noqa: PLR0917  # one caller
        self, engine: Engine, name: ChannelName, state: RunState, lease: Lease, append_timeout: float, log_name: str
    ) -> None:
        self._engine = engine
        self._key = name.key
        self._epoch = state.epoch
        self._token = state.token
        self._lease = lease
        self._append_timeout = append_timeout
        self._log_name = log_name
        self._top = 0
        self._clock_ahead = state.expires - lease.seconds - time.time()  # the engine's, of the one here
        self.received: Callable[[Sequence[Entry]], object] = _nothing

    def append_here(self, payloads: list[bytes]) -> None:
        """Append items at once; only for an engine that never blocks.

        Raises:
            FencedError: the run is not this producer's any more.
            BrokerError: there was not an answer; they can be appended again.
        """
        frames = [Frame(payload) for payload in payloads]  # without keys: its requests are not late
        self._engine.append_many(self._key, frames, history=_ENTRIES, token=self._token)
        self._top += len(payloads)

    async def append(self, payloads: list[bytes]) -> None:
        """Append items, as often as it takes.

        Raises:
            FencedError: the run is not this producer's any more.
        """
        frames = self._frames(payloads)
        attempt, began = 0, time.monotonic()
        while True:
            try:
                await self._engine.aappend_many(
                    self._key, frames, history=_ENTRIES, token=self._token, timeout=self._append_timeout
                )
            except FencedError:
                raise
            except Exception as error:  # noqa: BLE001  # of an engine with a fault, too: the source must not go on alone
                await self._pause(error, attempt, began)
                attempt += 1
            else:
                break
        self._stored(frames)

    def _stored(self, frames: list[Frame]) -> None:
        now = time.time() + self._clock_ahead
        entries = [Entry(offset, now, frame.payload) for offset, frame in enumerate(frames, self._top + 1)]
        self._top += len(frames)
        self.received(entries)

    async def unstored(self, payloads: list[bytes]) -> list[bytes]:
        """Return the items of an append that was cancelled, unless they are stored."""
        with suppress(BrokerError):
            page = await call(self._engine, partial(self._engine.read, self._key, None, 0))
            if page.epoch == self._epoch and page.top >= self._top + len(payloads):
                self._top = page.top
                return []
        return payloads

    async def finish(self, payloads: list[bytes], status: RunStatus, detail: str | None) -> RunStatus:
        """Write the last items and the end in one step; return how the run has ended."""
        frames = [*self._frames(payloads), frame_of_end(status, detail)]
        finish = partial(self._engine.finish, self._key, self._token, status, frames)
        attempt, began = 0, time.monotonic()
        while True:
            try:
                await call(self._engine, finish)
            except FencedError:
                return await self._ended_by_another()
            except Exception as error:  # noqa: BLE001  # as above
                try:
                    await self._pause(error, attempt, began)
                except FencedError:
                    return "lost"
                attempt += 1
            else:
                self._stored(frames)
                return status

    def cancel_here(self) -> None:
        """Write the end of a cancelled run in the caller's thread; one that cannot be written is left to a reader."""
        with suppress(BrokerError):
            self._engine.finish(self._key, self._token, "cancelled", [frame_of_end("cancelled")])

    def _frames(self, payloads: list[bytes]) -> list[Frame]:
        return [Frame(payload, f"{self._epoch}.{offset}") for offset, payload in enumerate(payloads, self._top + 1)]

    async def _pause(self, error: Exception, attempt: int, began: float) -> None:
        """Wait before the next attempt.

        Raises:
            FencedError: the lease has ended, or the engine has refused this for as long as one, though it renews it.
        """
        if attempt == 0:
            then = "trying again as long as its lease lasts"
            if isinstance(error, BrokerError):
                log_stream(logging.WARNING, self._log_name, str(error), then)
            else:
                log_stream(logging.ERROR, self._log_name, "the engine failed", then, error=error)
        if time.monotonic() - began > self._lease.seconds:
            raise FencedError("the engine stored nothing for as long as a lease") from error
        await self._lease.pause(error, attempt)

    async def _ended_by_another(self) -> RunStatus:
        """Return how the run has ended: by an earlier attempt without an answer, or by a reader."""
        with suppress(BrokerError):
            state = await call(self._engine, partial(self._engine.run_state, self._key))
            if state is not None and state.epoch == self._epoch and state.status != "running":
                return state.status
        return "lost"


def _nothing(_: Sequence[Entry]) -> None:
    pass
