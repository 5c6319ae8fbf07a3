"""How a process hears of what others commit: LISTEN on one channel, without payloads, and one query for all news.

NOTIFY makes commits wait for each other, so it is a doorbell of its own transaction, and a process has at most one
under way. Who dies between a commit and its NOTIFY is made up for: the listener looks every few seconds in any case.

Who owns what:

    the connection   the thread alone
    watched places   under `_lock`: `watch` and `unwatch` add and remove them, the thread moves them on
    the receiver     called by the thread
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from stream_adapter._log import logger
from stream_adapter.errors import BrokerError, BrokerUnavailableError

from ._postgres_connections import Connection, Connections, unavailable
from ._protocol import Receiver
from ._threads import start_listening
from ._values import Entry

__all__ = ["NOTIFY", "Listener", "Place"]

NOTIFY = "NOTIFY stream_adapter"
_LISTEN = "LISTEN stream_adapter"
_TIMEOUT = 10.0  # seconds that the server may take
_WAIT = 0.5  # seconds after which the thread sees that it is to end
_LOOK = 5.0  # seconds between two looks without a notice
_FIRST = 0.2  # seconds between two attempts to connect, twice as long each time
_LONGEST = 5.0  # … at most
_BATCH = 5000  # events of one look
_UNNOTIFIED = 2  # looks that find news, without a notice ever, until that is logged: one may overtake its notice
_POOLED = (
    f"broker: the database sends no notice of new events, so they arrive up to {_LOOK:g} s late; the broker's URL must"
    " not name a pooler in transaction mode (PgBouncer's pool_mode), because LISTEN needs a connection of its own"
)
_NEWS = """
SELECT w.name, c.epoch, c.top, c.changes, e."offset", e.time, e.payload
FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) AS w (name, id, epoch, top, changes)
JOIN stream_adapter_channels c ON c.name = w.name
LEFT JOIN LATERAL (
    SELECT e."offset", e.time, e.payload FROM stream_adapter_events e
    WHERE e.channel = w.id AND e."offset" > w.top AND c.epoch = w.epoch ORDER BY e."offset" LIMIT %s
) e ON true
WHERE c.epoch <> w.epoch OR c.top <> w.top OR c.changes <> w.changes
ORDER BY w.name, e."offset" LIMIT %s
"""


@dataclass(slots=True)
class Place:
    """How far a watched channel was reported."""

    id: int
    epoch: str
    top: int
    changes: int

    def move(self, epoch: str, top: int, changes: int, entries: list[Entry] | None) -> bool:
        """Move on to what the channel's row says; return True if there is more to know than these entries."""
        is_other = (epoch, changes) != (self.epoch, self.changes) or (entries is None and top != self.top)
        self.top = top if entries is None or epoch != self.epoch else entries[-1].offset
        self.epoch, self.changes = epoch, changes
        return is_other


class Listener:
    """A thread that reports what is new in the watched channels.

    Args:
        connections: what dials.
        receiver: returns what the engine reports to.
    """

    def __init__(self, connections: Connections, receiver: Callable[[], Receiver]) -> None:
        self._connections = connections
        self._receiver = receiver
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}
        self._has_tried = threading.Event()  # to connect, since the last loss
        self._failure: Exception | None = None  # of that; None while it listens
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, timeout: float) -> None:
        """Begin to listen, and return when the server has confirmed it.

        Raises:
            BrokerUnavailableError: it has not within `timeout` seconds, or the connection is lost.
        """
        with self._lock:
            if self._thread is None:
                self._thread = start_listening(self._run, "stream_adapter.postgres")
        if not self._has_tried.wait(timeout):
            raise BrokerUnavailableError(f"the broker's database did not confirm LISTEN within {timeout:g} s")
        failure = self._failure
        if failure is not None:
            raise unavailable(failure) from failure

    def watch(self, places: Mapping[str, Place]) -> None:
        """Report what comes after the place of each channel."""
        with self._lock:
            self._places.update(places)

    def unwatch(self, channel: str) -> None:
        """Report a channel no more."""
        with self._lock:
            self._places.pop(channel, None)

    def close(self) -> None:
        """End the thread, which closes its connection."""
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2 * _WAIT)

    def _run(self) -> None:
        failures = 0
        is_lost = False
        while not self._closed.is_set():
            connection: Connection | None = None
            try:
                connection = self._connections.dial(_TIMEOUT)
                connection.until = time.monotonic() + _TIMEOUT
                connection.execute(_LISTEN)
                self._failure = None
                self._has_tried.set()
                if is_lost:
                    is_lost = False
                    logger.info("broker: the listening connection is back")
                    self._receiver().reconnected()
                failures = 0
                self._listen(connection)
            except (psycopg.Error, BrokerError, OSError) as error:
                self._failure = error
                self._has_tried.set()
                if not is_lost and not self._closed.is_set():
                    is_lost = True
                    logger.warning("broker: the listening connection was lost (%s); trying again", _line(error))
                    self._receiver().disconnected(error)
                longest = max(_FIRST, min(_FIRST * 2**failures, _LONGEST))
                failures += 1
                self._closed.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311  # spreads processes in time
            except Exception:  # noqa: BLE001  # logged; the thread must go on
                logger.exception("broker: news could not be reported; listening again")
                is_lost = True
                self._closed.wait(_LONGEST)
            finally:
                if connection is not None:
                    connection.close()

    def _listen(self, connection: Connection) -> None:
        looked = float("-inf")
        was_notified, unnotified = False, 0
        while not self._closed.is_set():
            connection.until = time.monotonic() + _TIMEOUT
            is_notified = False
            for _ in connection.notifies(timeout=_WAIT, stop_after=1):
                is_notified = was_notified = True
            now = time.monotonic()
            if is_notified or now - looked >= _LOOK:
                looked = now
                connection.until = now + _TIMEOUT
                found = self._look(connection)
                if found and not was_notified:
                    unnotified += 1
                    if unnotified == _UNNOTIFIED:
                        logger.warning(_POOLED)
                while found == _BATCH:
                    found = self._look(connection)

    def _look(self, connection: Connection) -> int:
        """Report what is new; return how many rows that were, of a batch at most."""
        with self._lock:
            places = {name: (place.id, place.epoch, place.top, place.changes) for name, place in self._places.items()}
        if not places:
            return 0
        columns = [list(column) for column in zip(*places.values(), strict=True)]
        rows = connection.execute(_NEWS, (list(places), *columns, _BATCH, _BATCH)).fetchall()
        if rows:
            self._report({name: place[1] for name, place in places.items()}, rows)
        return len(rows)

    def _report(self, epochs: dict[str, str], rows: list[Any]) -> None:
        changed: dict[str, tuple[str, int, int]] = {}
        entries: dict[str, list[Entry]] = {}
        for name, epoch, top, changes, offset, at, payload in rows:
            changed[name] = epoch, top, changes
            if offset is not None:
                entries.setdefault(name, []).append(Entry(offset, at, bytes(payload)))
        again: list[str] = []
        with self._lock:
            for name, row in changed.items():
                place = self._places.get(name)
                if place is not None and place.epoch == epochs[name] and place.move(*row, entries.get(name)):
                    again.append(name)
        receiver = self._receiver()
        for name, found in entries.items():
            receiver.received(name, epochs[name], found)
        for name in again:
            receiver.changed(name)


def _line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
