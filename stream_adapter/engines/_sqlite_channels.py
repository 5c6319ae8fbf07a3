"""What the SQLite engine appends to a channel, and reads of it, each as one transaction.

Times and offsets only grow within an epoch, so "the first entry to keep" splits a channel in two, and trimming is one
DELETE. `size` counts the bytes of all entries of an epoch, `before` those of the entries before one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from stream_adapter.errors import FencedError

from ._sqlite_database import COLUMNS, Database, Row
from ._values import KEY_SECONDS, Append, Entry, Frames, History, Page, Position, new_epoch

__all__ = ["Channels", "checked"]

_KEPT = 86400.0  # seconds that the epoch and offset of an idle channel are kept, and at least ten times its age
_CHANGES_KEPT = 60.0  # seconds that a note of a change is kept for the processes that look
_SWEEP = 60.0  # seconds between two looks for what is to be forgotten
_TRIM = """
DELETE FROM stream_adapter_entries WHERE channel = ? AND offset < coalesce((
    SELECT offset FROM stream_adapter_entries
    WHERE channel = ? AND offset > ? AND time > ? AND (? - before <= ? OR offset = ?) ORDER BY offset LIMIT 1
), ? + 1)
"""
_CHANNEL = f"SELECT {COLUMNS} FROM stream_adapter_channels WHERE name = ?"  # noqa: S608  # a text of a module here


class Channels(Database):
    """The methods of a store for events."""

    _swept = float("-inf")

    def _find(self, name: str, now: float) -> Row | None:
        """Return a channel; None if it does not exist, or it is a run that is past its time."""
        values = self._connection.execute(_CHANNEL, (name,)).fetchone()
        if values is None:
            return None
        row = Row(*values)
        if row.status not in (None, "running") and (row.expires or 0) <= now:
            self._forget(row.id)
            return None
        return row

    def _begin(self, name: str, now: float, before: Row | None = None) -> Row:
        if before is not None:
            self._forget(before.id)
        self._connection.execute(
            "INSERT INTO stream_adapter_channels (name, epoch, used) VALUES (?, ?, ?)", (name, new_epoch(), now)
        )
        found = self._find(name, now)
        assert found is not None  # noqa: S101  # it was inserted in this transaction
        return found

    def _forget(self, channel: int) -> None:
        self._connection.execute("DELETE FROM stream_adapter_entries WHERE channel = ?", (channel,))
        self._connection.execute("DELETE FROM stream_adapter_keys WHERE channel = ?", (channel,))
        self._connection.execute("DELETE FROM stream_adapter_channels WHERE id = ?", (channel,))

    def _append(self, row: Row, frames: Frames, now: float, history: History | None) -> list[Position]:
        top, size, newest = row.top, row.size, None
        positions: list[Position] = []
        for frame in frames:
            planned = frame.planned if history is None else None
            if planned is not None and planned <= top:  # appended by an attempt without an answer
                positions.append(Position(row.epoch, planned))
                continue
            key = frame.key if planned is None else None
            if key is not None:
                stored = self._one(
                    "SELECT offset FROM stream_adapter_keys WHERE channel = ? AND key = ? AND time > ?",
                    row.id,
                    key,
                    now - KEY_SECONDS,
                )
                if stored is not None:
                    positions.append(Position(row.epoch, int(str(stored[0]))))
                    continue
            top += 1
            newest = self._connection.execute(
                "INSERT INTO stream_adapter_entries (channel, offset, time, before, payload) VALUES (?, ?, ?, ?, ?)",
                (row.id, top, now, size, frame.payload),
            ).lastrowid
            size += len(frame.payload)
            if key is not None:
                self._connection.execute(
                    "INSERT OR REPLACE INTO stream_adapter_keys VALUES (?, ?, ?, ?)", (row.id, key, top, now)
                )
            positions.append(Position(row.epoch, top))
        age = row.age if history is None else history.age
        self._connection.execute(
            "UPDATE stream_adapter_channels SET top = ?, size = ?, age = ?, used = ? WHERE id = ?",
            (top, size, age, now, row.id),
        )
        if history is not None and row.status is None:
            self._trim(row._replace(top=top, size=size, age=age), now, history)
        if newest is not None:
            self._newest, self._has_news = newest, True
        return positions

    def _trim(self, row: Row, now: float, history: History | None) -> None:
        """Delete the entries before the first one to keep."""
        count = row.top if history is None else history.count
        most = row.size if history is None else history.bytes
        values = (row.id, row.id, row.top - count, now - row.age, row.size, most, row.top, row.top)
        self._connection.execute(_TRIM, values)

    def append(self, append: Append, now: float) -> list[Position]:
        """Append frames."""
        with self._transaction():
            self._sweep(now)
            return self._append_to(append, now)

    def append_all(
        self, begin: Callable[[], Sequence[Append]], clock: Callable[[], float]
    ) -> list[list[Position] | Exception]:
        """Append the frames of several callers, who are asked for when it is their turn to write."""
        outcomes: list[list[Position] | Exception] = []
        with self._transaction():
            now = clock()
            self._sweep(now)
            for append in begin():
                try:
                    outcomes.append(self._append_to(append, now))
                except FencedError as error:
                    outcomes.append(error)
        return outcomes

    def _append_to(self, append: Append, now: float) -> list[Position]:
        row = self._find(append.channel, now)
        if append.token is not None:
            return self._append(checked(row, append.token), append.frames, now, None)
        return self._append(row or self._begin(append.channel, now), append.frames, now, append.history)

    def read(self, readings: Iterable[tuple[str, int | None, int]], now: float) -> list[Page]:
        """Read entries, and their place in their channel: of a name, after an offset or the newest, so many at most."""
        with self._transaction():
            return [self._page(name, since, limit, now) for name, since, limit in readings]

    def _page(self, name: str, since: int | None, limit: int, now: float) -> Page:
        row = self._find(name, now) or self._begin(name, now)
        if row.status is None:
            self._trim(row, now, None)
        self._keep(row, now)
        oldest = self._one(
            "SELECT offset FROM stream_adapter_entries WHERE channel = ? ORDER BY offset LIMIT 1", row.id
        )
        earliest = row.top + 1 if oldest is None else int(str(oldest[0]))
        first = max(0, row.top - limit) if since is None else since
        found = self._connection.execute(
            "SELECT offset, time, payload FROM stream_adapter_entries"
            " WHERE channel = ? AND offset > ? ORDER BY offset LIMIT ?",
            (row.id, min(first, 1 << 62), limit),
        )
        return Page(row.epoch, row.top, earliest, tuple(Entry(*values) for values in found))

    def positions(self, names: Sequence[str], now: float) -> dict[str, Position]:
        """Return the newest position of each channel."""
        with self._transaction():
            rows = {name: self._find(name, now) or self._begin(name, now) for name in names}
            for row in rows.values():
                self._keep(row, now)
            return {name: Position(row.epoch, row.top) for name, row in rows.items()}

    def _keep(self, row: Row, now: float) -> None:
        """Keep a channel that is listened to, also without events."""
        if row.used < now - _KEPT / 2:
            self._connection.execute("UPDATE stream_adapter_channels SET used = ? WHERE id = ?", (now, row.id))

    def _sweep(self, now: float) -> None:
        """Delete what is past its time; once a minute."""
        if now - self._swept < _SWEEP:
            return
        self._swept = now
        idle = self._connection.execute(
            "SELECT id FROM stream_adapter_channels WHERE CASE WHEN status IS NULL THEN used < ? - max(?, 10 * age)"
            " WHEN status = 'running' THEN expires <= ? ELSE expires <= ? END",
            (now, _KEPT, now - _KEPT, now),
        ).fetchall()
        for (channel,) in idle:
            self._forget(channel)
        self._connection.execute("DELETE FROM stream_adapter_keys WHERE time <= ?", (now - KEY_SECONDS,))
        self._connection.execute("DELETE FROM stream_adapter_changes WHERE time <= ?", (now - _CHANGES_KEPT,))


def checked(row: Row | None, token: int) -> Row:
    """Return the row of a run that is written with its token.

    Raises:
        FencedError: the token is stale.
    """
    if row is None or row.status != "running" or row.token != token:
        raise FencedError("this run has ended, or another one has taken its place")
    return row
