"""The store of the SQLite engine: what it does with runs, and how processes hear of news, each as one transaction.

Events are `_sqlite_channels`, the tables `_sqlite_database`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stream_adapter.errors import FencedError

from ._sqlite_channels import Channels, checked
from ._sqlite_database import Row
from ._values import Entry, Frames, RunState, RunStatus

__all__ = ["Change", "Store"]


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


class Store(Channels):
    """One connection. Its methods are transactions; one thread at a time may call them.

    Args:
        path: the file; it is made if it is not there.
        timeout: seconds to wait for another writer.

    Raises:
        sqlite3.Error: from every method.
    """

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
            return self._renew(name, token, now, lease)

    def renew_many(self, renewals: Iterable[tuple[str, int, float]], now: float) -> list[RunState | FencedError]:
        """Extend several leases."""
        found: list[RunState | FencedError] = []
        with self._transaction():
            for name, token, lease in renewals:
                try:
                    found.append(self._renew(name, token, now, lease))
                except FencedError as error:
                    found.append(error)
        return found

    def _renew(self, name: str, token: int, now: float, lease: float) -> RunState:
        row = checked(self._find(name, now), token)
        self._update(row, "running", token, now + lease)
        return RunState(row.epoch, token, "running", now + lease, bool(row.cancelled))

    def finish(self, name: str, token: int, status: RunStatus, frames: Frames, now: float) -> RunState:
        """Append the last frames of a run, and end it."""
        with self._transaction():
            row = checked(self._find(name, now), token)
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
                self._connection.execute("UPDATE stream_adapter_channels SET cancelled = 1 WHERE id = ?", (row.id,))
                self._note(row.id, now)
                row = row._replace(cancelled=1)
            return row.state()

    def run_state(self, name: str, now: float) -> RunState | None:
        """Return the state of a channel's run."""
        with self._transaction():
            row = self._find(name, now)
            return None if row is None else row.state()

    def _update(self, row: Row, status: str, token: int, expires: float, retain: float | None = None) -> None:
        self._connection.execute(
            "UPDATE stream_adapter_channels SET status = ?, token = ?, expires = ?, retain = coalesce(?, retain)"
            " WHERE id = ?",
            (status, token, expires, retain, row.id),
        )

    def _note(self, channel: int, now: float) -> None:
        self._connection.execute("INSERT INTO stream_adapter_changes (channel, time) VALUES (?, ?)", (channel, now))
        self._has_news = True

    # notices

    def register(self, address: str) -> None:
        """Have this address woken after each commit that has news."""
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO stream_adapter_listeners VALUES (?)", (address,))

    def unregister(self, address: str) -> None:
        """Remove an address."""
        with self._transaction():
            self._connection.execute("DELETE FROM stream_adapter_listeners WHERE address = ?", (address,))

    def version(self) -> int:
        """Return a number that another connection's commit changes."""
        found = self._one("PRAGMA data_version")
        return int(str(found[0])) if found is not None else 0

    def changes_since(self, mark: tuple[int, int], names: Sequence[str]) -> tuple[tuple[int, int], list[Change]]:
        """Return what happened to some channels after a mark, and the next mark: what is newer is not looked at."""
        marks = dict.fromkeys(names)
        chosen = ", ".join("?" * len(marks)) if len(marks) <= 500 else "SELECT name FROM stream_adapter_channels"
        values = tuple(marks) if len(marks) <= 500 else ()
        entries: list[tuple[str, str, int, float, bytes]] = []
        changed: list[tuple[str, str]] = []
        newest = self.mark()
        if newest[0] > mark[0]:
            entries = self._connection.execute(
                "SELECT c.name, c.epoch, e.offset, e.time, e.payload"  # noqa: S608  # placeholders only
                " FROM stream_adapter_entries e JOIN stream_adapter_channels c ON c.id = e.channel"
                f" WHERE e.id > ? AND e.id <= ? AND c.name IN ({chosen}) ORDER BY e.id",
                (mark[0], newest[0], *values),
            ).fetchall()
        if newest[1] > mark[1]:
            changed = self._connection.execute(
                "SELECT DISTINCT c.name, c.epoch FROM stream_adapter_changes n"  # noqa: S608  # as above
                " JOIN stream_adapter_channels c ON c.id = n.channel"
                f" WHERE n.id > ? AND n.id <= ? AND c.name IN ({chosen})",
                (mark[1], newest[1], *values),
            ).fetchall()
        by_channel: dict[tuple[str, str], list[Entry]] = {}
        for name, epoch, offset, time, payload in entries:
            if name in marks:
                by_channel.setdefault((name, epoch), []).append(Entry(offset, time, payload))
        changes = [Change(name, epoch, tuple(found)) for (name, epoch), found in by_channel.items()]
        changes += [Change(name, epoch, ()) for name, epoch in changed if name in marks]
        return newest, changes
