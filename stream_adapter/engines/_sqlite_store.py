"""The database of the SQLite engine: its tables, and each method as one transaction.

Times and offsets only grow within an epoch, so "the first entry to keep" splits a channel in two, and trimming is one
DELETE. `size` counts the bytes of all entries of an epoch, `before` those of the entries before one.

An epoch ends where the file may have lost what it held: it is another file than the one that the channels were written
to (a backup was put in its place), it holds less than was written (a backup was copied over it), or the machine was
started again (commits are not synced one by one).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from stream_adapter.errors import FencedError

from ._sqlite_high_water import HighWater
from ._values import KEY_SECONDS, Append, Entry, Frames, History, Page, Position, RunState, RunStatus, new_epoch

__all__ = ["Change", "Store", "identity_of"]

_KEPT = 86400.0  # seconds that the epoch and offset of an idle channel are kept, and at least ten times its age
_CHANGES_KEPT = 60.0  # seconds that a note of a change is kept for those who look
_SWEEP = 60.0  # seconds between two looks for what is to be forgotten

_SCHEMA = """
CREATE TABLE IF NOT EXISTS store (identity TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS channels (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    top INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    age REAL NOT NULL DEFAULT 300,
    used REAL NOT NULL,
    status TEXT,
    token INTEGER,
    expires REAL,
    retain REAL,
    cancelled INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    time REAL NOT NULL,
    before INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (channel, offset)
);
CREATE TABLE IF NOT EXISTS keys (
    channel INTEGER NOT NULL,
    key TEXT NOT NULL,
    offset INTEGER NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (channel, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel INTEGER NOT NULL,
    time REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS listeners (address TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_COLUMNS = "id, epoch, top, size, age, status, token, expires, retain, cancelled"


class _Row(NamedTuple):
    id: int
    epoch: str
    top: int
    size: int
    age: float
    status: RunStatus | None
    token: int | None
    expires: float | None
    retain: float | None
    cancelled: int

    def state(self, *, granted: bool = False) -> RunState | None:
        """Return the state of its run, if it has one."""
        if self.status is None or self.token is None or self.expires is None:
            return None
        return RunState(self.epoch, self.token, self.status, self.expires, bool(self.cancelled), granted)


class Change(NamedTuple):
    """What was appended to a watched channel; no entries if something else changed.

    Attributes:
        channel: its name.
        epoch: its present epoch.
        entries: in their order.
    """

    channel: str
    epoch: str
    entries: tuple[Entry, ...]


def identity_of(path: Path) -> str:
    """Return what tells a file from its copy, and this start of the machine from the last."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""  # where this is not Linux a power failure is not noticed
    return f"{boot} {path.stat().st_ino}"


class Store:
    """One connection. Its methods are transactions; one thread at a time may call them.

    Args:
        path: the file; it is made if it is not there.
        timeout: seconds to wait for another writer.

    Raises:
        sqlite3.Error: from every method.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._timeout = max(1, round(timeout * 1000))
        self._connection = sqlite3.connect(
            path, timeout=self._timeout / 1000, isolation_level=None, check_same_thread=False
        )
        self._swept = float("-inf")
        self._written: HighWater | None = None
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self.inode: int = path.stat().st_ino
            self._written = HighWater(path)
            self._prepare(identity_of(path), self._written)
        except BaseException:
            self.close()
            raise

    def _prepare(self, identity: str, written: HighWater) -> None:
        with self._transaction():
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            newest, _ = self.mark()
            if self._one("SELECT identity FROM store") != (identity,) or newest < written.get():
                for table in ("channels", "entries", "keys", "listeners", "store"):
                    self._connection.execute(f"DELETE FROM {table}")  # noqa: S608  # names of this module
                self._connection.execute("INSERT INTO store VALUES (?)", (identity,))
                written.set(newest)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        written, self._written = self._written, None
        if written is not None:
            written.close()

    def wait_for(self, timeout: float) -> None:
        """Wait for another writer for so many seconds from now on."""
        milliseconds = max(1, round(timeout * 1000))
        if milliseconds != self._timeout:
            self._timeout = milliseconds
            self._connection.execute(f"PRAGMA busy_timeout = {milliseconds}")

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)

    def _one(self, statement: str, *values: object) -> tuple[object, ...] | None:
        row: tuple[object, ...] | None = self._connection.execute(statement, values).fetchone()
        return row

    # one channel

    def _find(self, name: str, now: float) -> _Row | None:
        """Return a channel; None if it does not exist, or it is a run that is past its time."""
        values = self._connection.execute(f"SELECT {_COLUMNS} FROM channels WHERE name = ?", (name,)).fetchone()  # noqa: S608  # columns of this module
        if values is None:
            return None
        row = _Row(*values)
        if row.status not in (None, "running") and (row.expires or 0) <= now:
            self._forget(row.id)
            return None
        return row

    def _begin(self, name: str, now: float, before: _Row | None = None) -> _Row:
        if before is not None:
            self._forget(before.id)
        self._connection.execute("INSERT INTO channels (name, epoch, used) VALUES (?, ?, ?)", (name, new_epoch(), now))
        found = self._find(name, now)
        assert found is not None  # noqa: S101  # it was inserted in this transaction
        return found

    def _forget(self, channel: int) -> None:
        self._connection.execute("DELETE FROM entries WHERE channel = ?", (channel,))
        self._connection.execute("DELETE FROM keys WHERE channel = ?", (channel,))
        self._connection.execute("DELETE FROM channels WHERE id = ?", (channel,))

    def _append(self, row: _Row, frames: Frames, now: float, history: History | None) -> list[Position]:
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
                    "SELECT offset FROM keys WHERE channel = ? AND key = ? AND time > ?",
                    row.id,
                    key,
                    now - KEY_SECONDS,
                )
                if stored is not None:
                    positions.append(Position(row.epoch, int(str(stored[0]))))
                    continue
            top += 1
            newest = self._connection.execute(
                "INSERT INTO entries (channel, offset, time, before, payload) VALUES (?, ?, ?, ?, ?)",
                (row.id, top, now, size, frame.payload),
            ).lastrowid
            size += len(frame.payload)
            if key is not None:
                self._connection.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", (row.id, key, top, now))
            positions.append(Position(row.epoch, top))
        age = row.age if history is None else history.age
        self._connection.execute(
            "UPDATE channels SET top = ?, size = ?, age = ?, used = ? WHERE id = ?", (top, size, age, now, row.id)
        )
        if history is not None and row.status is None:
            self._trim(row._replace(top=top, size=size, age=age), now, history)
        if newest is not None and self._written is not None:
            self._written.set(
                newest
            )  # before the commit: if that fails, listeners are reset for nothing, but miss nothing
        return positions

    def _trim(self, row: _Row, now: float, history: History | None) -> None:
        """Delete the entries before the first one to keep."""
        count = row.top if history is None else history.count
        most = row.size if history is None else history.bytes
        first = self._one(
            "SELECT offset FROM entries WHERE channel = ? AND offset > ? AND time > ?"
            " AND (? - before <= ? OR offset = ?) ORDER BY offset LIMIT 1",
            *(row.id, row.top - count, now - row.age, row.size, most, row.top),
        )
        keep = row.top + 1 if first is None else first[0]
        self._connection.execute("DELETE FROM entries WHERE channel = ? AND offset < ?", (row.id, keep))

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
            return self._append(_checked(row, append.token), append.frames, now, None)
        return self._append(row or self._begin(append.channel, now), append.frames, now, append.history)

    def read(self, name: str, since: int | None, limit: int, now: float) -> Page:
        """Read entries, and their place in the channel."""
        with self._transaction():
            row = self._find(name, now) or self._begin(name, now)
            if row.status is None:
                self._trim(row, now, None)
            oldest = self._one("SELECT offset FROM entries WHERE channel = ? ORDER BY offset LIMIT 1", row.id)
            earliest = row.top + 1 if oldest is None else int(str(oldest[0]))
            first = max(0, row.top - limit) if since is None else since
            found = self._connection.execute(
                "SELECT offset, time, payload FROM entries WHERE channel = ? AND offset > ? ORDER BY offset LIMIT ?",
                (row.id, min(first, 1 << 62), limit),
            )
            return Page(row.epoch, row.top, earliest, tuple(Entry(*values) for values in found))

    def positions(self, names: Sequence[str], now: float) -> dict[str, Position]:
        """Return the newest position of each channel."""
        with self._transaction():
            rows = {name: self._find(name, now) or self._begin(name, now) for name in names}
            return {name: Position(row.epoch, row.top) for name, row in rows.items()}

    # runs

    def claim(self, name: str, now: float, *, lease: float, retain: float, restart: bool) -> RunState:
        """Begin a run, or return the one that is there."""
        with self._transaction():
            before = self._find(name, now)
            there = None if before is None else before.state()
            if there is not None and (there.status == "running" or not restart):
                return there
            row = self._begin(name, now, before)
            token = max(int(now * 1_000_000), 1 if there is None else there.token + 1)
            self._update(row, "running", token, now + lease, retain=retain)
            self._note(row.id, now)
            return RunState(row.epoch, token, "running", now + lease, granted=True)

    def renew(self, name: str, token: int, now: float, *, lease: float) -> RunState:
        """Extend a lease."""
        with self._transaction():
            row = _checked(self._find(name, now), token)
            self._update(row, "running", token, now + lease)
            return RunState(row.epoch, token, "running", now + lease, bool(row.cancelled))

    def finish(self, name: str, token: int, status: RunStatus, frames: Frames, now: float) -> RunState:
        """Append the last frames of a run, and end it."""
        with self._transaction():
            row = _checked(self._find(name, now), token)
            expires, retain = row.expires or 0.0, row.retain or 0.0
            if status == "lost" and expires > now:
                return RunState(row.epoch, token, "running", expires, bool(row.cancelled))
            self._append(row, frames, now, None)
            self._update(row, status, token, now + retain)
            self._note(row.id, now)
            return RunState(row.epoch, token, status, now + retain, bool(row.cancelled))

    def cancel(self, name: str, epoch: str, now: float) -> RunState | None:
        """Note that a run is to end."""
        with self._transaction():
            row = self._find(name, now)
            if row is None:
                return None
            if row.status == "running" and row.epoch == epoch:
                self._connection.execute("UPDATE channels SET cancelled = 1 WHERE id = ?", (row.id,))
                self._note(row.id, now)
                row = row._replace(cancelled=1)
            return row.state()

    def run_state(self, name: str, now: float) -> RunState | None:
        """Return the state of a channel's run."""
        with self._transaction():
            row = self._find(name, now)
            return None if row is None else row.state()

    def _update(self, row: _Row, status: str, token: int, expires: float, retain: float | None = None) -> None:
        self._connection.execute(
            "UPDATE channels SET status = ?, token = ?, expires = ?, retain = coalesce(?, retain) WHERE id = ?",
            (status, token, expires, retain, row.id),
        )

    def _note(self, channel: int, now: float) -> None:
        self._connection.execute("INSERT INTO changes (channel, time) VALUES (?, ?)", (channel, now))

    def _sweep(self, now: float) -> None:
        """Delete what is past its time; once a minute."""
        if now - self._swept < _SWEEP:
            return
        self._swept = now
        idle = self._connection.execute(
            "SELECT id FROM channels WHERE used < ? - max(?, 10 * age) AND (status IS NULL OR status != 'running')",
            (now, _KEPT),
        ).fetchall()
        for (channel,) in idle:
            self._forget(channel)
        self._connection.execute("DELETE FROM keys WHERE time <= ?", (now - KEY_SECONDS,))
        self._connection.execute("DELETE FROM changes WHERE time <= ?", (now - _CHANGES_KEPT,))

    # notices

    def addresses(self) -> list[str]:
        """Return where listening processes want to be woken."""
        return [address for (address,) in self._connection.execute("SELECT address FROM listeners")]

    def register(self, address: str) -> None:
        """Have this address woken after each commit."""
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO listeners VALUES (?)", (address,))

    def unregister(self, address: str) -> None:
        """Remove an address."""
        with self._transaction():
            self._connection.execute("DELETE FROM listeners WHERE address = ?", (address,))

    def version(self) -> int:
        """Return a number that another connection's commit changes."""
        found = self._one("PRAGMA data_version")
        return int(str(found[0])) if found is not None else 0

    def mark(self) -> tuple[int, int]:
        """Return the newest entry and change, after which `changes_since` looks."""
        found = self._one(
            "SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'),"
            " (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes')"
        )
        entry, change = found or (0, 0)
        return int(str(entry)), int(str(change))

    def changes_since(self, mark: tuple[int, int], names: Sequence[str]) -> tuple[tuple[int, int], list[Change]]:
        """Return what happened to some channels after a mark, in one read transaction, and the next mark."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN")
            try:
                newest = self.mark()
                marks = dict.fromkeys(names)
                chosen = ", ".join("?" * len(marks)) if len(marks) <= 500 else "SELECT name FROM channels"
                values = tuple(marks) if len(marks) <= 500 else ()
                entries = cursor.execute(
                    "SELECT c.name, c.epoch, e.offset, e.time, e.payload"  # noqa: S608  # placeholders only
                    " FROM entries e JOIN channels c ON c.id = e.channel"
                    f" WHERE e.id > ? AND e.id <= ? AND c.name IN ({chosen}) ORDER BY e.id",
                    (mark[0], newest[0], *values),
                ).fetchall()
                changed = cursor.execute(
                    "SELECT DISTINCT c.name, c.epoch FROM changes n JOIN channels c ON c.id = n.channel"  # noqa: S608  # as above
                    f" WHERE n.id > ? AND n.id <= ? AND c.name IN ({chosen})",
                    (mark[1], newest[1], *values),
                ).fetchall()
            finally:
                cursor.execute("COMMIT")
        by_channel: dict[tuple[str, str], list[Entry]] = {}
        for name, epoch, offset, time, payload in entries:
            if name in marks:
                by_channel.setdefault((name, epoch), []).append(Entry(offset, time, payload))
        changes = [Change(name, epoch, tuple(found)) for (name, epoch), found in by_channel.items()]
        changes += [Change(name, epoch, ()) for name, epoch in changed if name in marks]
        return newest, changes


class _Transaction:
    """Writes are serialized from the beginning, so a transaction never fails for what it has read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _checked(row: _Row | None, token: int) -> _Row:
    if row is None or row.status != "running" or row.token != token:
        raise FencedError("this run has ended, or another one has taken its place")
    return row
