"""The engine on one SQLite file: for several processes on one machine, without a server.

The file must not be on a network file system: SQLite's locks and its shared memory do not work there. A commit
survives a crash of the process; after a power failure channels begin another epoch, and listeners are reset.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from stream_adapter._log import logger
from stream_adapter.errors import BrokerError, BrokerUnavailableError, FencedError

from ._base import BaseEngine
from ._batches import Batch
from ._sqlite_notices import Listener
from ._sqlite_store import Store
from ._urls import shown_url
from ._values import Append, Frames, History, Page, Position, RunState, RunStatus

__all__ = ["SQLiteEngine", "engine_from_url"]

T = TypeVar("T")

_TIMEOUT = 5.0  # seconds that a method which is given none waits for another writer
_UNREGISTER_TIMEOUT = 0.1  # seconds that a publisher waits to remove the address of a process that has ended
_INHERITED: list[Store | Listener] = []  # of parents of this process: SQLite's connections must not be closed here


class SQLiteEngine(BaseEngine):
    """Channels in a file.

    Who owns what: `_guard` guards the connection for methods; the listener's thread has a connection of its own.

    Args:
        path: the file; it and those beside it (`-wal`, `-shm`) are made when they are needed.
        clock: seconds since 1970, the same in all processes.
    """

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._path = Path(path).absolute()  # the process may change its folder
        self._clock = clock
        self._store: Store | None = None
        self._listener: Listener | None = None
        self._reset()

    def _reset(self) -> None:
        self._guard = threading.RLock()  # reentrant: a signal handler may publish
        self._watched: dict[str, None] = {}
        self._store = None
        self._listener = None

    def after_fork(self) -> None:
        """Forget the parent's connection and thread, without closing them."""
        _INHERITED.extend(each for each in (self._store, self._listener) if each is not None)
        self._reset()

    def _call(self, method: Callable[[Store], T], timeout: float | None = None) -> T:
        """Call a method of the store."""
        self.check_process()
        timeout = timeout or _TIMEOUT
        until = time.monotonic() + timeout
        if not self._guard.acquire(timeout=timeout):
            raise BrokerUnavailableError(f"the broker's database was busy for {timeout:.3g} s")
        try:
            self.check_process()  # it may have been closed since, and would be opened again
            if self._store is not None and self._store.is_in_transaction:
                raise BrokerUnavailableError(  # noqa: TRY301  # the guard is given back below
                    "the broker's database is in use by what this signal handler has interrupted; publish in a thread"
                )
            store = self._opened(until - time.monotonic())
            store.wait_for(until - time.monotonic())
            result = method(store)
            if store.gone:
                self._unregister(store)
        except BrokerError:  # before OSError, which one of them is, too
            raise
        except (sqlite3.Error, OSError) as error:
            self._drop()
            raise BrokerUnavailableError(f"the broker's database cannot be used: {error}") from error
        except BaseException:
            self._drop()  # a signal handler has raised it, at any line: the database must not stay locked
            raise
        else:
            return result
        finally:
            self._guard.release()

    def _unregister(self, store: Store) -> None:
        """Remove the addresses of processes that have ended; what the caller wrote stands, whatever fails here."""
        gone, store.gone = store.gone, []
        try:
            store.wait_for(_UNREGISTER_TIMEOUT)
            for address in gone:
                store.unregister(address)
        except sqlite3.Error as error:
            logger.debug("broker: the addresses of processes that have ended were not removed (%s)", error)

    def _opened(self, timeout: float) -> Store:
        store = self._store
        if store is not None and not self._is_same_file(store):
            self._drop()
            store = None
        if store is None:
            store = self._store = Store(self._path, timeout)
        return store

    def _is_same_file(self, store: Store) -> bool:
        try:
            return os.stat(self._path).st_ino == store.inode
        except FileNotFoundError:
            return False

    def _drop(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def append_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames."""
        append = Append(channel, frames, history, token)
        return self._call(lambda store: store.append(append, self._clock()), timeout)

    async def aappend_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames, on an event loop, in one transaction with other callers' frames."""
        self.check_process()
        append = Append(channel, frames, history, token)
        return await self._appends.ask(append, append.size, timeout or _TIMEOUT)

    async def _append_batch(self, batch: Batch[Append, list[Position]]) -> Sequence[list[Position] | Exception]:
        left = max(batch.until - asyncio.get_running_loop().time(), 0.001)
        return await self.call(lambda: self._call(lambda store: store.append_all(batch.begin, self._clock), left))

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        """Read entries."""
        return self.read_many([(channel, since, limit)])[0]

    def read_many(self, readings: Iterable[tuple[str, int | None, int]]) -> list[Page]:
        """Read entries of several channels, in one transaction."""
        wanted = list(readings)
        return self._call(lambda store: store.read(wanted, self._clock()))

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel."""
        return self._call(lambda store: store.positions(list(channels), self._clock()))

    def watch(self, channel: str) -> None:
        """Report what is appended to a channel from now on."""
        self.watch_many([channel])

    def watch_many(self, channels: Iterable[str]) -> None:
        """Report what is appended to channels from now on; one look at the file is for all of them."""
        self.check_process()
        with self._guard:
            self.check_process()  # as in `_call`
            before = dict(self._watched)
            self._watched.update(dict.fromkeys(channels))
            if self._listener is not None:
                return
            listener = Listener(
                lambda: Store(self._path, _TIMEOUT), self._path, lambda: list(self._watched), lambda: self.receiver
            )
            try:
                listener.start()
            except (sqlite3.Error, OSError, RuntimeError) as error:  # RuntimeError: the system has no thread for it
                self._watched = before
                raise BrokerUnavailableError(f"the broker's database cannot be used: {error}") from error
            self._listener = listener

    def unwatch(self, channel: str) -> None:
        """Report a channel no more."""
        with self._guard:
            self._watched.pop(channel, None)

    def claim(self, channel: str, *, lease: float, retain: float, restart: bool = False) -> RunState:
        """Begin a run on a channel."""
        return self._call(
            lambda store: store.claim(channel, self._clock(), lease=lease, retain=retain, restart=restart)
        )

    def renew(self, channel: str, token: int, *, lease: float) -> RunState:
        """Extend a run's lease."""
        return self._call(lambda store: store.renew(channel, token, self._clock(), lease=lease))

    def renew_many(self, renewals: Iterable[tuple[str, int, float]]) -> list[RunState | FencedError]:
        """Extend the leases of several runs, in one transaction."""
        return self._call(lambda store: store.renew_many(renewals, self._clock()))

    def finish(self, channel: str, token: int, status: RunStatus, frames: Frames = ()) -> RunState:
        """Append the last frames of a run and end it."""
        return self._call(lambda store: store.finish(channel, token, status, frames, self._clock()))

    def cancel(self, channel: str, epoch: str) -> RunState | None:
        """Ask the producer of a run to end."""
        return self._call(lambda store: store.cancel(channel, epoch, self._clock()))

    def run_state(self, channel: str) -> RunState | None:
        """Return the state of the channel's newest run."""
        return self._call(lambda store: store.run_state(channel, self._clock()))

    def close(self) -> None:
        """Close the connections and the thread."""
        if self.is_closed:
            return
        self.check_process()
        super().close()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        with self._guard:
            self._drop()


def engine_from_url(url: str) -> SQLiteEngine:
    """Make the engine of `sqlite:///relative/path.db` and `sqlite:////absolute/path.db`.

    Raises:
        ValueError: the URL names no file.
    """
    parts = urlsplit(url)
    path = unquote(parts.path[1:])
    if parts.netloc or parts.query or parts.fragment or not path or path == ":memory:" or path.endswith("/"):
        raise ValueError(f"url: expected sqlite:///path.db, or sqlite:////absolute/path.db, got {shown_url(url)}")
    return SQLiteEngine(path)
