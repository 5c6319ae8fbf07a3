"""What the hub asks its engine on behalf of listeners: to open their channels.

The worker asks, in its thread, or the listener itself if the engine never blocks. The docstring of `_hub` lists the
owners. However many listeners come at once, as after a deploy, their channels are opened in a few exchanges.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

from stream_adapter.engines import Engine, Position
from stream_adapter.engines._together import watch_many
from stream_adapter.errors import BrokerUnavailableError

from ._channel import Channel
from ._readings import Readings
from ._ring import Ring

__all__ = ["AT_ONCE", "Openings"]

AT_ONCE = 500  # channels that are opened in one exchange; other jobs of the worker come between two of them


class _Opening(NamedTuple):
    """A channel that is to be opened.

    Attributes:
        channel: which.
        opened: done when it is.
        asked: when the first listener asked for it.
    """

    channel: Channel
    opened: Future[None]
    asked: float


class Openings(Readings):
    """Opens the channels of listeners.

    Args:
        engine: where the channels are.
        prefix: the broker's, for the log.
    """

    def __init__(self, engine: Engine, prefix: str) -> None:
        super().__init__(engine, prefix)
        self._unopened: list[_Opening] = []

    def opening(self, channel: Channel) -> Future[None]:
        """Return a future that is done when an entered channel is open; ask the engine if that is not under way."""
        with self.lock:
            under_way = channel.opened
            if under_way is not None:
                return under_way
            opened = channel.opened = Future[None]()
            opening = _Opening(channel, opened, time.monotonic())
            refusal = self._refusal()
            if refusal is None:
                self._unopened.append(opening)
            is_first = len(self._unopened) == 1
        if refusal is not None:
            self._refuse([opening], refusal)
        elif is_first or not self._engine.blocks:  # else the worker has been asked, and takes this one with it
            try:
                self._ask(self._open_some)
            except RuntimeError as error:  # the system has not got a thread for it
                self._refuse_unopened(error)
        return opened

    def _refusal(self) -> BrokerUnavailableError | None:
        """Return why the engine is not asked."""
        if self.is_closed:
            return BrokerUnavailableError("the broker is closed")
        if self.is_disconnected:  # asking takes as long as the engine's timeout, and nothing is sent then
            return BrokerUnavailableError("the connection to the broker's engine was lost")
        return None

    # what the worker does, or, if the engine never blocks, the caller

    def _take_unopened(self) -> list[_Opening]:
        """Return the channels whose turn it is to be opened; those without listeners are forgotten already."""
        with self.lock:
            taken, self._unopened = self._unopened[:AT_ONCE], self._unopened[AT_ONCE:]
            return [opening for opening in taken if self.channels.get(opening.channel.key) is opening.channel]

    def _open_some(self) -> None:
        """Open channels that wait for it; the worker comes back to the others after its other jobs."""
        openings = self._take_unopened()
        failed, error = self._failure
        late = [opening for opening in openings if opening.asked < failed]
        if late:  # callers share one timeout
            self._refuse(late, BrokerUnavailableError(error))
        if len(late) < len(openings):
            self._open(openings[len(late) :])
        if self._unopened:
            self._ask(self._open_some)

    def _open(self, openings: Sequence[_Opening]) -> None:
        keys = [opening.channel.key for opening in openings]
        try:
            watch_many(self._engine, keys)
            positions = self._engine.positions(keys)
            with self.lock:
                for opening in openings:
                    self._begin_ring(opening.channel, positions[opening.channel.key])
                self._check_later()
        except BaseException as error:  # each who waits for it raises it
            self._note_failure(error)
            self._refuse(openings, error)
            if not isinstance(error, Exception):  # what interrupts this thread is for this thread, too
                raise
            return
        for opening in openings:
            opening.opened.set_result(None)

    def _begin_ring(self, channel: Channel, position: Position) -> None:
        """Begin the ring of a channel that was opened; a run that began in this process has done so. Under the lock."""
        if channel.ring is None:
            channel.ring = Ring(channel.name, *position)
        elif channel.ring.epoch != position.epoch or channel.ring.top < position.offset:
            self._catch_up_soon(channel)  # which of them is newer is not known

    def _refuse(self, openings: Sequence[_Opening], error: BaseException) -> None:
        with self.lock:
            for opening in openings:
                opening.channel.opened = None  # the next listener tries again
        for opening in openings:
            opening.opened.set_exception(error)

    def _refuse_unopened(self, error: BaseException) -> None:
        with self.lock:
            openings, self._unopened = self._unopened, []
        self._refuse(openings, error)
