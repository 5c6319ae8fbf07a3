"""The file of the SQLite engine: its tables, and one connection to it.

The names of the tables have a prefix: a file that holds tables of others, too, keeps them.

An epoch ends where the file may have lost what it held: it is another file than the one that the channels were written
to (a backup was put in its place), it holds less than was written (a backup was copied over it), or the machine was
started again (commits are not synced one by one).
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ._sqlite_doorbell import Doorbell
from ._sqlite_high_water import HighWater
from ._values import RunState, RunStatus

__all__ = ["COLUMNS", "Database", "Row"]

_RETRY = 0.005  # seconds until a database that others are opening, too, is tried again

SCHEMA = """
CREATE TABLE IF NOT EXISTS stream_adapter_store (identity TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stream_adapter_channels (
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
CREATE TABLE IF NOT EXISTS stream_adapter_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    time REAL NOT NULL,
    before INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (channel, offset)
);
CREATE TABLE IF NOT EXISTS stream_adapter_keys (
    channel INTEGER NOT NULL,
    key TEXT NOT NULL,
    offset INTEGER NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (channel, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stream_adapter_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel INTEGER NOT NULL,
    time REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS stream_adapter_listeners (address TEXT PRIMARY KEY) WITHOUT ROWID;
"""
COLUMNS = "id, epoch, top, size, age, status, token, expires, retain, cancelled, used"


class Row(NamedTuple):
    """A channel, and its run if it has one."""

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
    used: float

    def state(self, *, granted: bool = False) -> RunState | None:
        """Return the state of its run, if it has one."""
        if self.status is None or self.token is None or self.expires is None:
            return None
        return RunState(self.epoch, self.token, self.status, self.expires, bool(self.cancelled), granted)


def _identity_of(path: Path) -> str:
    """Return what tells a file from its copy, and this start of the machine from the last."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""  # where this is not Linux a power failure is not noticed
    return f"{boot} {path.stat().st_ino}"


class Database:
    """One connection, which one thread at a time may use.

    Args:
        path: the file; it is made if it is not there.
        timeout: seconds to wait for another writer.

    Attributes:
        gone: addresses at which nothing listens any more.

    Raises:
        sqlite3.Error: from every method.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._timeout = max(1, round(timeout * 1000))
        self._connection = sqlite3.connect(
            path, timeout=self._timeout / 1000, isolation_level=None, check_same_thread=False
        )
        self._written: HighWater | None = None
        self._doorbell = Doorbell()
        self.gone: list[str] = []
        self._has_news = False  # the transaction under way has
        self._newest: int | None = None  # the number of the entry that the transaction under way has written last
        try:
            self._use_wal(time.monotonic() + timeout)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self.inode: int = path.stat().st_ino
            self._written = HighWater(path.resolve())  # one for all links to the file
            self._prepare(_identity_of(path), self._written)
        except BaseException:
            self.close()
            raise

    def _use_wal(self, until: float) -> None:
        """Switch a new file to a write-ahead log; SQLite does not wait by itself for another process that does so."""
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_RETRY)
            else:
                return

    def _prepare(self, identity: str, written: HighWater) -> None:
        with self._transaction():
            for statement in SCHEMA.split(";"):
                self._connection.execute(statement)
            newest, _ = self.mark()
            if self._one("SELECT identity FROM stream_adapter_store") != (identity,) or newest < written.get():
                for table in ("channels", "entries", "keys", "listeners", "store"):
                    self._connection.execute(f"DELETE FROM stream_adapter_{table}")  # noqa: S608  # names of this module
                self._connection.execute("INSERT INTO stream_adapter_store VALUES (?)", (identity,))
                written.set(newest)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._doorbell.close()
        written, self._written = self._written, None
        if written is not None:
            written.close()

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction has begun and not ended."""
        return self._connection.in_transaction

    def wait_for(self, timeout: float) -> None:
        """Wait for another writer for so many seconds from now on."""
        milliseconds = max(1, round(timeout * 1000))
        if abs(milliseconds - self._timeout) > 0.02 * self._timeout:  # callers have spent some of their time already
            self._timeout = milliseconds
            self._connection.execute(f"PRAGMA busy_timeout = {milliseconds}")

    def _transaction(self) -> _Transaction:
        self._newest, self._has_news = None, False  # of one that was rolled back
        return _Transaction(self)

    def begin(self) -> None:
        """Begin a transaction; writes are serialized from here on, so that it never fails for what it has read."""
        self._connection.execute("BEGIN IMMEDIATE")

    def rollback(self) -> None:
        """End the transaction without what it wrote."""
        self._connection.execute("ROLLBACK")

    def commit(self) -> None:
        """End the transaction, and wake listeners if it has news for them.

        Their addresses are read within it: who registers later finds what was written.
        """
        addresses = self._addresses() if self._has_news else ()
        self._connection.execute("COMMIT")
        self.gone += self._doorbell.ring(addresses)
        self._note_commit()

    def _addresses(self) -> list[str]:
        """Return where listening processes want to be woken."""
        return [address for (address,) in self._connection.execute("SELECT address FROM stream_adapter_listeners")]

    def _note_commit(self) -> None:
        """Note what is written, after its commit: a transaction that fails, or is killed, must not count as lost."""
        newest, self._newest = self._newest, None
        if newest is not None and self._written is not None:
            with suppress(OSError):  # the commit stands
                self._written.set(newest)

    def _one(self, statement: str, *values: object) -> tuple[object, ...] | None:
        row: tuple[object, ...] | None = self._connection.execute(statement, values).fetchone()
        return row

    def mark(self) -> tuple[int, int]:
        """Return the newest entry and change, after which `changes_since` looks."""
        found = self._one(
            "SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'stream_adapter_entries'),"
            " (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'stream_adapter_changes')"
        )
        entry, change = found or (0, 0)
        return int(str(entry)), int(str(change))


class _Transaction:
    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.begin()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._database.commit()
        else:
            self._database.rollback()
