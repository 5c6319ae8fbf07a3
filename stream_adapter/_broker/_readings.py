"""What the hub reads of histories on behalf of listeners: each part once for all who need it, many in one exchange.

The worker asks, in its thread, or the listener itself if the engine never blocks. The docstring of `_hub` lists the
owners.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple, TypeAlias

from stream_adapter.engines import Engine, Page, Position
from stream_adapter.engines._together import read_many
from stream_adapter.errors import BrokerUnavailableError

from ._channel import MAX_REPLAY, Channel, Read
from ._repairs import Repairs

__all__ = ["AT_ONCE", "Readings"]

AT_ONCE = 500  # histories that are read in one exchange; other jobs of the worker come between two of them

What: TypeAlias = tuple[int | None, int]
"""`since` and `limit` of `Engine.read`."""


class _Reading(NamedTuple):
    """A part of a history that is to be read.

    Attributes:
        channel: whose.
        what: which part.
        done: has the part.
        asked: when the first listener asked for it.
    """

    channel: Channel
    what: What
    done: Future[Read]
    asked: float


class Readings(Repairs):
    """Reads what listeners missed.

    Args:
        engine: where the channels are.
        prefix: the broker's, for the log.
    """

    def __init__(self, engine: Engine, prefix: str) -> None:
        super().__init__(engine, prefix)
        self.is_closed: bool = False
        self._asking = threading.RLock()
        self._unread: list[_Reading] = []

    def read(self, channel: Channel, since: int | None, limit: int) -> Future[Read]:
        """Read a part of the history; callers that want the same at the same time share one read."""
        what = since, limit
        with self.lock:
            under_way = channel.reads.get(what)
            if under_way is not None:
                return under_way
            reading = _Reading(channel, what, Future(), time.monotonic())
            is_closed = self.is_closed
            if not is_closed:
                channel.reads[what] = reading.done
                self._unread.append(reading)
            is_first = len(self._unread) == 1
        if is_closed:  # nothing is asked any more
            self._refuse_readings([reading], BrokerUnavailableError("the broker is closed"))
        elif is_first or not self._engine.blocks:  # else the worker has been asked, and takes this one with it
            try:
                self._ask(self._read_some)
            except RuntimeError as error:  # the system has not got a thread for it
                self._refuse_unread(error)
        return reading.done

    def _ask(self, job: Callable[[], None]) -> None:
        if self._engine.blocks:
            self._worker.submit(job)
            return
        with self._asking:
            job()

    # what the worker does, or, if the engine never blocks, the caller

    def _read_some(self) -> None:
        """Read what waits for it; the worker comes back to the others after its other jobs."""
        readings = self._take_unread()
        failed, error = self._failure
        late = [reading for reading in readings if reading.asked < failed]
        if late:  # callers share one timeout
            self._refuse_readings(late, BrokerUnavailableError(error))
        if len(late) < len(readings):
            self._read(readings[len(late) :])
        if self._unread:
            self._ask(self._read_some)

    def _take_unread(self) -> list[_Reading]:
        """Return the parts whose turn it is: many that are short, or one that is long."""
        with self.lock:
            count = events = 0
            for reading in self._unread[:AT_ONCE]:
                events += reading.what[1]
                if count and events > MAX_REPLAY:
                    break
                count += 1
            taken, self._unread = self._unread[:count], self._unread[count:]
            return taken

    def _read(self, readings: Sequence[_Reading]) -> None:
        try:
            pages = read_many(self._engine, [(reading.channel.key, *reading.what) for reading in readings])
        except BaseException as error:  # noqa: BLE001  # each who waits for it raises it
            self._note_failure(error)
            self._refuse_readings(readings, error)
            return
        for reading, page in zip(readings, pages, strict=True):
            reading.done.set_result(self._take_page(reading, page))

    def _take_page(self, reading: _Reading, page: Page) -> Read:
        channel = reading.channel
        with self.lock:
            channel.reads.pop(reading.what, None)
            ring = channel.ring
            if ring is None or ring.epoch != page.epoch:
                ring = self._replace(channel, Position(page.epoch, page.top))
            records = ring.records_of(page)
            ring.prepend(records)
        return Read(page, records, ring)

    def _refuse_readings(self, readings: Sequence[_Reading], error: BaseException) -> None:
        with self.lock:
            for reading in readings:
                reading.channel.reads.pop(reading.what, None)
        for reading in readings:
            reading.done.set_exception(error)

    def _refuse_unread(self, error: BaseException) -> None:
        with self.lock:
            readings, self._unread = self._unread, []
        self._refuse_readings(readings, error)
