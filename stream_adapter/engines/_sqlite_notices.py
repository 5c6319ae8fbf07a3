"""How processes that share a database file hear of each other's commits.

Each listening process has a Unix datagram socket, whose address is in the database. Who has committed sends one byte to
each address; the byte says "look", and the listener reads all that is new in one query. A datagram that finds a full
queue is not missed: the listener is about to look. Where such sockets do not exist, or the sender does not see the
listener's file system, the file's `data_version` is looked at: every 20 ms without a socket, else twice a second.

Who owns what:

    the socket       the thread; it is made by `start`, before the thread
    the store        a connection of its own, used by the thread alone
    watched names    a dict that the engine writes and the thread reads, a copy each time
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stream_adapter._log import logger

from ._protocol import Receiver
from ._sqlite_store import Store

__all__ = ["Listener"]

_LONGEST = 100  # bytes of an address; the kernel takes 107
_POLL = 0.02  # seconds between two looks at the file where nothing wakes
_LOOK = 0.5  # … where something does, in case it could not
_RETRY = 1.0  # seconds after an error


class Listener:
    """A thread that looks what is new, when it is woken.

    Args:
        open_store: makes its connection.
        path: the database.
        watched: returns the names of the watched channels.
        receiver: returns what the engine reports to.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        path: Path,
        watched: Callable[[], list[str]],
        receiver: Callable[[], Receiver],
    ) -> None:
        self._open_store = open_store
        self._path = path
        self._watched = watched
        self._receiver = receiver
        self._closed = threading.Event()
        self._socket: socket.socket | None = None
        self._address: str | None = None
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="stream_adapter.sqlite", daemon=True)
        self._store: Store | None = None
        self._mark = (0, 0)
        self._version = -1

    def start(self) -> None:
        """Open the store and the socket, and begin to look; what is committed from now on is reported."""
        try:
            self._bind()
            self._open()
            self._thread.start()
        except BaseException:
            self._finish()
            raise

    def _bind(self) -> None:
        if not hasattr(socket, "AF_UNIX"):
            return
        name = f".{self._path.name}-{os.getpid()}-{secrets.token_hex(4)}"
        for folder in (self._path.parent, Path(tempfile.gettempdir())):
            address = str(folder / name)
            if len(os.fsencode(address)) > _LONGEST:
                continue
            bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                bound.bind(address)
            except OSError:
                bound.close()
                continue
            bound.settimeout(0)
            self._socket, self._address = bound, address
            return

    def _open(self) -> None:
        store = self._open_store()
        if self._address is not None:
            store.register(self._address)
        self._mark = store.mark()
        self._version = store.version()
        self._store = store

    def close(self) -> None:
        """End the thread; its socket and connection are closed by it."""
        self._closed.set()
        with suppress(OSError):
            self._wake.send(b"!")
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if self._socket is not None:
                selector.register(self._socket, selectors.EVENT_READ)
            is_lost = False
            while not self._closed.is_set():
                is_woken = bool(selector.select(_POLL if self._socket is None else _LOOK))
                try:
                    self._drain()
                    if is_lost:
                        self._open()
                        is_lost = False
                        logger.debug("broker: the database can be read again")
                        self._receiver().reconnected()
                    self._look(is_woken=is_woken)
                except (sqlite3.Error, OSError) as error:
                    self._close_store()
                    if not is_lost:
                        is_lost = True
                        logger.debug("broker: the database cannot be read (%s); trying again", error)
                        self._receiver().disconnected(error)
                    self._closed.wait(_RETRY)
                except Exception:  # noqa: BLE001  # logged; the thread must go on
                    logger.exception("broker: a notice could not be taken; reading again")
                    self._close_store()
                    is_lost = True
                    self._closed.wait(_RETRY)
        self._finish()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while self._socket is not None:
                self._socket.recv(16)

    def _look(self, *, is_woken: bool) -> None:
        store = self._store
        if store is None:
            return
        if os.stat(self._path).st_ino != store.inode:
            raise sqlite3.OperationalError("another file was put in its place")
        if not is_woken:
            before, self._version = self._version, store.version()
            if before == self._version:
                return
        watched = self._watched()
        self._mark, changes = store.changes_since(self._mark, watched)
        for name in set(self._watched()).difference(watched):
            self._receiver().changed(name)  # watched in the meantime: what came after that may be behind the mark
        for change in changes:
            if change.entries:
                self._receiver().received(change.channel, change.epoch, change.entries)
            else:
                self._receiver().changed(change.channel)

    def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _finish(self) -> None:
        if self._store is not None and self._address is not None:
            with suppress(sqlite3.Error):
                self._store.unregister(self._address)
        self._close_store()
        if self._socket is not None:
            self._socket.close()
        if self._address is not None:
            with suppress(OSError):
                os.unlink(self._address)
        self._wake.close()
        self._woken.close()
