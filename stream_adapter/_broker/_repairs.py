"""How the rings of a process are kept complete: holes are read again, and positions compared.

The worker does it, in its thread. The docstring of `_hub` lists the owners.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from stream_adapter._log import logger
from stream_adapter.engines import Engine, Page, Position
from stream_adapter.errors import BrokerError, BrokerUnavailableError

from ._channel import MAX_REPLAY, Channel
from ._ring import Ring
from ._worker import Worker

__all__ = ["Repairs", "describe"]

CHECK_SECONDS = 30.0  # between two comparisons of all positions
RETRY_SECONDS = 1.0  # after the engine could not be asked
AT_ONCE = 1000  # positions in one round trip, which has one timeout


class Repairs:
    """The channels that are watched, and what is done where a ring lacks something.

    Args:
        engine: where the channels are.
        prefix: the broker's, for the log.
    """

    def __init__(self, engine: Engine, prefix: str) -> None:
        self._engine = engine
        self._prefix = prefix
        self.lock: AbstractContextManager[object] = threading.RLock()  # a signal handler may publish, and wake
        self._worker = Worker(f"stream_adapter.broker.{prefix}")
        self.channels: dict[str, Channel] = {}
        self._is_checking = self._is_rechecking = False
        self._catching_up: set[str] = set()
        self._failure: tuple[float, str] = (float("-inf"), "")  # the engine's last: when, and why; the worker's
        self.is_disconnected: bool = False
        self.received_count: int = 0

    def _note_connection(self, *, is_lost: bool) -> bool:
        """Note whether the connection is lost; return True if that has changed."""
        with self.lock:
            was_lost, self.is_disconnected = self.is_disconnected, is_lost
        return was_lost is not is_lost

    def soon(self, job: Callable[[], None]) -> None:
        """Run a job in the worker's thread in about a second: the engine has failed."""
        self._worker.after(RETRY_SECONDS * random.uniform(0.5, 1.5), job)  # noqa: S311

    def _replace(self, channel: Channel, position: Position, *, is_restart: bool = False) -> Ring:
        """Begin a ring at a position; listeners of the old one find themselves behind, or in another epoch."""
        ring = channel.ring = Ring(channel.name, *position, is_restart=is_restart)
        channel.wake()
        return ring

    def _catch_up_soon(self, channel: Channel) -> None:
        """Ask the worker to read what the ring lacks. Call it under the lock."""
        if channel.key not in self._catching_up:
            self._catching_up.add(channel.key)
            self._worker.submit(partial(self._catch_up, channel, time.monotonic()))

    def _check_engine(self, asked: float) -> None:
        """Raise the engine's failure again if it came after `asked`: what waits for the worker shares one timeout."""
        failed, error = self._failure
        if asked < failed:
            raise BrokerUnavailableError(error)

    def _note_failure(self, error: BaseException) -> None:
        if isinstance(error, BrokerUnavailableError):
            self._failure = time.monotonic(), str(error)

    def _catch_up(self, channel: Channel, asked: float) -> None:
        with self.lock:
            self._catching_up.discard(channel.key)
        while True:
            ring = channel.ring
            if ring is None or self.channels.get(channel.key) is not channel:
                return
            try:
                self._check_engine(asked)
                page = self._engine.read(channel.key, ring.top, MAX_REPLAY)
            except BrokerError as error:
                if asked >= self._failure[0]:  # it is the first that meets it
                    self._note_failure(error)
                    self._log_trouble(error)
                self.soon(partial(self._catch_up, channel, time.monotonic() + 1.5 * RETRY_SECONDS))
                return
            with self.lock:
                if channel.ring is ring and not self._splice(channel, ring, page):
                    return

    def _splice(self, channel: Channel, ring: Ring, page: Page) -> bool:
        """Append a page to a ring; return True if there is more to read."""
        if page.epoch != ring.epoch:
            self._replace(channel, Position(page.epoch, page.top))
            return False
        if page.entries and page.entries[0].offset > ring.top + 1:  # a hole that stays
            ring = self._replace(channel, Position(page.epoch, page.entries[0].offset - 1))
        elif not page.entries and page.top > ring.top:
            ring = self._replace(channel, Position(page.epoch, page.top))
        top = ring.top
        ring.add(page.entries)
        self.received_count += ring.top - top
        channel.wake()
        return bool(page.entries) and ring.top < page.top

    def _check_later(self) -> None:
        """Schedule a comparison of all positions. Call it under the lock."""
        if not self._is_checking:
            self._is_checking = True
            self._worker.after(CHECK_SECONDS * random.uniform(0.75, 1.25), self._check_in_turn)  # noqa: S311

    def _check_in_turn(self) -> None:
        self._check_all()
        with self.lock:
            self._is_checking = False
            if self.channels:
                self._check_later()

    def _check_again(self) -> None:
        with self.lock:
            self._is_rechecking = False
        self._check_all()

    def _check_all(self) -> None:
        """Compare the positions of all channels, many in one round trip, and read what is missing."""
        with self.lock:
            rings = {key: (channel, channel.ring) for key, channel in self.channels.items() if channel.ring is not None}
            tops = {key: ring.top for key, (_, ring) in rings.items()}
        if not rings:
            return
        keys = list(rings)
        positions: dict[str, Position] = {}
        try:
            for start in range(0, len(keys), AT_ONCE):
                positions.update(self._engine.positions(keys[start : start + AT_ONCE]))
        except BrokerError as error:
            self._note_failure(error)
            self._log_trouble(error)
            with self.lock:
                if not self.is_disconnected and not self._is_rechecking:  # else `reconnected` has it done again
                    self._is_rechecking = True
                    self.soon(self._check_again)
            return
        with self.lock:
            for key, (channel, ring) in rings.items():
                epoch, top = positions[key]
                if channel.ring is not ring:
                    continue
                if epoch != ring.epoch or top < tops[key]:  # the store has lost what was published
                    self._replace(channel, Position(epoch, top), is_restart=True)
                elif top > ring.top:
                    self._catch_up_soon(channel)

    def _log_trouble(self, error: BaseException) -> None:
        level = logging.DEBUG if self.is_disconnected else logging.WARNING
        logger.log(level, "broker %s: %s; trying again", self._prefix, describe(error))


def describe(error: BaseException) -> str:
    """Return an error in one line, for the log."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
