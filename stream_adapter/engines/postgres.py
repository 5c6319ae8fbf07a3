"""The engine on PostgreSQL 14 or newer: a row for each channel, whose lock orders its events, and NOTIFY as a doorbell.

The tables and functions are made when they are first needed, if the user may; or by a DBA, from what
`python -m stream_adapter.engines.postgres` prints.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

try:
    import psycopg
    from psycopg.rows import tuple_row
except ModuleNotFoundError as _error:  # of `python -m`; a broker's URL is checked before
    raise ModuleNotFoundError(
        "stream_adapter.engines.postgres needs psycopg: pip install 'stream-adapter[postgres]'", name=_error.name
    ) from _error

from stream_adapter.errors import FencedError

from ._base import BaseEngine
from ._postgres_connections import Connection, Connections
from ._postgres_listener import NOTIFY, Listener, Place
from ._postgres_schema import IDENTITY, SCHEMA
from ._postgres_statements import APPEND, KEEP, KEPT, OPEN, PAGE, PLACES, RENEW_MANY, RUN, STATE
from ._together import renew_each
from ._values import KEY_SECONDS, Entry, Frame, Frames, History, Page, Position, RunState, RunStatus, new_epoch

__all__ = ["PostgresEngine", "engine_from_url"]

_TIMEOUT = 5.0  # seconds of a method that is given none
_SWEEP = 60.0  # seconds between two looks for what is to be forgotten


class PostgresEngine(BaseEngine):
    """Channels in a database.

    Who owns what: `_connections` lends each connection to one thread; the listener's thread has its own. `_notifying`
    is held by the thread that sends NOTIFY, also for those that have committed while it did.

    Args:
        url: `postgresql://[user[:password]@]host[:port]/database`, with libpq's options in its query.
        clock: seconds since 1970; None: the server's clock, which all processes share.

    Raises:
        ValueError: the URL cannot be used.
    """

    def __init__(self, url: str, clock: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._connections = Connections(url)
        self._reset()

    def _reset(self) -> None:
        self._listener = Listener(self._connections, lambda: self.receiver)
        self._notifying = threading.Lock()
        self._must_notify = False
        self._swept = float("-inf")

    def after_fork(self) -> None:
        """Forget the parent's connections and thread."""
        self._connections.forget()
        self._reset()

    def _now(self) -> float | None:
        return None if self._clock is None else self._clock()

    def append_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames."""
        self.check_process()
        with self._connections.use(timeout or _TIMEOUT, writes=True) as connection:
            rows = connection.execute(
                APPEND, self._append_values(channel, connection.identity, frames, history, token)
            ).fetchall()
            self._notify(connection)
            self._sweep(connection)
        return [Position(epoch, offset) for epoch, offset in rows]

    def append_using(self, using: Any, channel: str, frames: Frames, *, history: History) -> list[Position]:
        """Append frames in a caller's own transaction: they are there when it commits, and not if it does not.

        The channel is locked until then, so others who publish to it wait.

        Args:
            using: a connection of psycopg or psycopg2, or of Django (`connections[alias]`), not in autocommit mode.
            channel: where to.
            frames: one or more.
            history: how much of the channel to keep.
        """
        self.check_process()
        self._connections.prepare(_TIMEOUT)
        statement = APPEND if isinstance(using, psycopg.Connection) else APPEND.replace("%b", "%s")
        with _cursor_of(using) as cursor:
            cursor.execute(IDENTITY)
            [identity] = _values_of(cursor.fetchone())
            cursor.execute(statement, self._append_values(channel, identity, frames, history, None))
            rows = [_values_of(row) for row in cursor.fetchall()]
            cursor.execute(NOTIFY)  # in the transaction: it is sent when that commits
        return [Position(epoch, offset) for epoch, offset in rows]

    def _append_values(
        self, channel: str, identity: str, frames: Frames, history: History, token: int | None
    ) -> tuple[Any, ...]:
        payloads, keys = [frame.payload for frame in frames], [_key(frame, token) for frame in frames]
        bounds = (history.count, history.age, history.bytes, KEY_SECONDS)
        return (channel, new_epoch(), identity, self._now(), token, *bounds, payloads, keys)

    def _notify(self, connection: Connection) -> None:
        """Wake listeners: by this thread, or by the one that does it now, for both."""
        self._must_notify = True
        while self._must_notify and self._notifying.acquire(blocking=False):
            try:
                self._must_notify = False
                with suppress(psycopg.Error):  # what was appended is stored; listeners look by themselves, too
                    connection.execute(NOTIFY)
            finally:
                self._notifying.release()

    def _sweep(self, connection: Connection) -> None:
        """Delete what is past its time; once a minute, and without waiting for channels in use."""
        now = time.monotonic()
        if now - self._swept < _SWEEP or self._clock is not None:
            return
        self._swept = now
        with suppress(psycopg.Error):
            connection.execute(
                "DELETE FROM stream_adapter_channels WHERE id IN (SELECT id FROM stream_adapter_channels"
                " WHERE CASE WHEN status IS NULL"
                " THEN used < extract(epoch FROM clock_timestamp()) - greatest(%(kept)s, 10 * age)"
                " WHEN status = 'running' THEN expires < extract(epoch FROM clock_timestamp()) - %(kept)s"
                " ELSE expires < extract(epoch FROM clock_timestamp()) END LIMIT 1000 FOR UPDATE SKIP LOCKED)",
                {"kept": KEPT},
            )
            connection.execute(
                "DELETE FROM stream_adapter_keys WHERE time < extract(epoch FROM clock_timestamp()) - %s",
                (KEY_SECONDS,),
            )

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        """Read entries."""
        self.check_process()
        with self._connections.use(_TIMEOUT, writes=False) as connection:
            wanted = {
                "name": channel,
                "since": None if since is None else min(since, 1 << 62),
                "limit": limit,
                "store": connection.identity,
                "now": self._now(),
            }
            while not (rows := connection.execute(cast("Any", PAGE), wanted).fetchall()):
                self._open(connection, [channel])
        epoch, top, earliest = rows[0][:3]
        entries = tuple(Entry(offset, at, bytes(payload)) for *_, offset, at, payload in rows if offset is not None)
        return Page(epoch, top, top + 1 if earliest is None else earliest, entries)

    def _open(self, connection: Connection, names: list[str]) -> None:
        """Begin the epochs of channels that are not there, or no longer are what they were."""
        epochs = [new_epoch() for _ in names]
        values = {"store": connection.identity, "now": self._now(), "names": names, "epochs": epochs}
        connection.execute(cast("Any", OPEN), values)

    def _places(self, channels: Iterable[str]) -> dict[str, Place]:
        self.check_process()
        names = sorted(set(channels))  # rows are locked in one order
        with self._connections.use(_TIMEOUT, writes=False) as connection:
            wanted = {"names": names, "store": connection.identity, "now": self._now()}
            while len(rows := connection.execute(cast("Any", PLACES), wanted).fetchall()) < len(names):
                there = {row[1] for row in rows}
                self._open(connection, [name for name in names if name not in there])
            idle = [row[2] for row in rows if row[0]]
            if idle:
                connection.execute(cast("Any", KEEP), {"ids": idle, "now": self._now()})
        return {name: Place(*place) for _, name, *place in rows}

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel, in one round trip."""
        return {name: Position(place.epoch, place.top) for name, place in self._places(channels).items()}

    def watch(self, channel: str) -> None:
        """Report what is appended to a channel from now on."""
        self.watch_many([channel])

    def watch_many(self, channels: Iterable[str]) -> None:
        """Report what is appended to channels from now on: one LISTEN is for all, and one query for their places."""
        self.check_process()
        self._listener.start(_TIMEOUT)
        self._listener.watch(self._places(channels))

    def unwatch(self, channel: str) -> None:
        """Report a channel no more."""
        self._listener.unwatch(channel)

    def claim(self, channel: str, *, lease: float, retain: float, restart: bool = False) -> RunState:
        """Begin a run on a channel."""
        statement = (
            "SELECT (run).epoch, (run).token, (run).status, (run).expires, (run).cancelled, granted"
            " FROM stream_adapter_claim_1(%s, %s, %s, %s::float8, %s::float8, %s::float8, %s)"
        )
        return _run(self._state(statement, channel, lease, retain, restart))

    def renew(self, channel: str, token: int, *, lease: float) -> RunState:
        """Extend a run's lease."""
        statement = f"SELECT {STATE} FROM stream_adapter_renew_1(%s, %s, %s, %s::float8, %s, %s::float8)"  # noqa: S608  # columns of this module
        return _run(self._state(statement, channel, token, lease, notifies=False))

    def renew_many(self, renewals: Iterable[tuple[str, int, float]]) -> list[RunState | FencedError]:
        """Extend the leases of several runs, in one statement; one by one if any of them is refused."""
        self.check_process()
        renewals = list(renewals)
        wanted = sorted(enumerate(renewals), key=lambda numbered: numbered[1])  # rows are locked in one order
        names, tokens, leases = (list(column) for column in zip(*(renewal for _, renewal in wanted), strict=True))
        try:
            with self._connections.use(_TIMEOUT, writes=True) as connection:
                given = (new_epoch(), connection.identity, self._now(), names, tokens, leases)
                rows = connection.execute(RENEW_MANY, given).fetchall()
        except FencedError:
            return renew_each(self, renewals)
        found = {number: RunState(*row) for (number, _), row in zip(wanted, rows, strict=True)}
        return [found[number] for number in sorted(found)]

    def finish(self, channel: str, token: int, status: RunStatus, frames: Frames = ()) -> RunState:
        """Append the last frames of a run and end it."""
        statement = (
            f"SELECT {STATE} FROM stream_adapter_finish_1(%s, %s, %s, %s::float8, %s, %s, %b::bytea[], %s::text[])"  # noqa: S608  # as above
        )
        payloads, keys = [frame.payload for frame in frames], [_key(frame, token) for frame in frames]
        return _run(self._state(statement, channel, token, status, payloads, keys))

    def cancel(self, channel: str, epoch: str) -> RunState | None:
        """Ask the producer of a run to end."""
        statement = f"SELECT {STATE} FROM stream_adapter_cancel_1(%s, %s, %s, %s::float8, %s)"  # noqa: S608  # as above
        return self._state(statement, channel, epoch)

    def run_state(self, channel: str) -> RunState | None:
        """Return the state of the channel's newest run."""
        self.check_process()
        with self._connections.use(_TIMEOUT, writes=False) as connection:
            wanted = {"name": channel, "store": connection.identity, "now": self._now()}
            row = connection.execute(cast("Any", RUN), wanted).fetchone()
        return None if row is None else RunState(*row)

    def _state(self, statement: str, channel: str, *values: object, notifies: bool = True) -> RunState | None:
        self.check_process()
        with self._connections.use(_TIMEOUT, writes=True) as connection:
            given = (channel, new_epoch(), connection.identity, self._now(), *values)
            row = connection.execute(cast("Any", statement), given).fetchone()
            if notifies:
                self._notify(connection)
        if row is None or row[2] is None:
            return None
        return RunState(*row)

    def close(self) -> None:
        """Close the connections and the thread."""
        if not self.is_closed:
            super().close()
            self._listener.close()
            self._connections.close()


def _cursor_of(using: Any) -> Any:
    """Return a cursor that takes our statements, whichever kind the caller's own cursors are."""
    connection = using  # of no type still
    return (
        psycopg.Cursor(connection, row_factory=tuple_row) if isinstance(using, psycopg.Connection) else using.cursor()
    )


def _values_of(row: Any) -> tuple[Any, ...]:
    """Return a row's values in their order; psycopg2's RealDictCursor returns a dict."""
    return tuple(cast("Mapping[str, Any]", row).values() if isinstance(row, Mapping) else row)


def _key(frame: Frame, token: int | None) -> str | None:
    """Return a frame's key, or, in a run, the offset that it is to have."""
    planned = None if token is None else frame.planned
    return frame.key if planned is None else str(planned)


def _run(state: RunState | None) -> RunState:
    assert state is not None  # noqa: S101  # the functions that are asked return a run, or raise
    return state


def engine_from_url(url: str) -> PostgresEngine:
    """Make the engine of `postgresql://` and `postgres://`.

    Raises:
        ValueError: the URL cannot be used.
    """
    return PostgresEngine(url)


if __name__ == "__main__":
    print(SCHEMA.strip())  # noqa: T201  # for a DBA
