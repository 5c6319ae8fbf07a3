"""Connections to PostgreSQL: a few, each used by one thread at a time, with a deadline for all that is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import ceil
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from stream_adapter._log import logger
from stream_adapter.errors import BrokerUnavailableError, FencedError, PublishTimeoutError

from ._postgres_schema import FENCED, IDENTITY, IS_INSTALLED, SCHEMA
from ._urls import has_secrets, shown_url

__all__ = ["Connection", "Connections", "unavailable"]

_POOL_SIZE = 4
# A role or database may have a stricter default, at which publishers to one channel would fail each other
_READ_COMMITTED = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"
_LOCK = 0x5374_7265_616D  # the advisory lock under which the tables are made: "Stream"
_INHERITED: list[Connection] = []  # of parents of this process: they must not be closed, nor collected, here
_OPTIONS = {
    "application_name": "stream_adapter",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits until a moment only. A server that is frozen answers nothing and breaks nothing.

    Attributes:
        until: the moment, as `time.monotonic` counts; None: it waits.
        identity: what names the database; see `_postgres_schema`.
    """

    until: float | None = None
    identity: str = ""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Consume one of psycopg's generators."""
        return super().wait(_bounded(gen, lambda: self.until), *arguments, **options)

    @classmethod
    def _connect_gen(cls, *arguments: Any, **options: Any) -> Any:
        """Connect to one address; psycopg itself would take two seconds at least, for each."""
        until = getattr(_dialing, "until", None)
        return _bounded(super()._connect_gen(*arguments, **options), lambda: until)


_dialing = threading.local()  # `until`: when the time of the thread that connects is over


def _bounded(gen: Generator[Any, Any, Any], until: Callable[[], float | None]) -> Generator[Any, Any, Any]:
    """Pass on what psycopg waits for, until a moment. It looks ten times a second by itself."""
    wanted = next(gen)
    while True:
        ready = yield wanted
        moment = until()
        if not ready and moment is not None and time.monotonic() > moment:
            gen.close()
            raise psycopg.OperationalError("no answer in time")
        try:
            wanted = gen.send(ready)
        except StopIteration as stop:
            return stop.value


def unavailable(error: BaseException) -> BrokerUnavailableError:
    """Return the error of a server that was not reached."""
    text = str(error).strip().splitlines()
    return BrokerUnavailableError(f"the broker's database cannot be used: {text[0] if text else type(error).__name__}")


class Connections:
    """A few connections. Constructing does no I/O.

    Args:
        url: `postgresql://…`, with libpq's options in its query.

    Raises:
        ValueError: the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(url)
            _ = urlsplit(url).port  # raises ValueError unless it is a number
        except (psycopg.Error, ValueError) as error:
            problem = "libpq does not understand it" if has_secrets(url) else str(error).strip()
            expected = "postgresql://[user[:password]@]host[:port]/database[?option=…]"
            raise ValueError(f"url: expected {expected}, got {shown_url(url)} ({problem})") from None
        self._conninfo = make_conninfo("", **{**_OPTIONS, **given, "client_encoding": "utf8"})
        self._free: list[Connection] = []
        self.forget()

    def forget(self) -> None:
        """Begin without connections, in a forked child; those of the parent stay open."""
        _INHERITED.extend(self._free)
        self._is_closed = False
        self._free = []
        self._guard = threading.Lock()
        self._slots = threading.BoundedSemaphore(_POOL_SIZE)
        self._is_checked = False

    def dial(self, timeout: float) -> Connection:
        """Connect, make the tables if they are not there, and return a connection in autocommit mode.

        Raises:
            BrokerUnavailableError: the server is not there, or the tables are not and must not be made.
        """
        until = _dialing.until = time.monotonic() + timeout
        try:
            connection = Connection.connect(self._conninfo, autocommit=True, connect_timeout=max(2, ceil(timeout)))
        except psycopg.Error as error:
            raise unavailable(error) from error
        finally:
            _dialing.until = None
        try:
            connection.until = until
            connection.execute(_READ_COMMITTED)
            self._check(connection)
            connection.identity = str(_one(connection, IDENTITY))
        except psycopg.Error as error:
            connection.close()
            raise unavailable(error) from error
        return connection

    def _check(self, connection: Connection) -> None:
        if self._is_checked:
            return
        if not _one(connection, IS_INSTALLED):
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if not _one(connection, IS_INSTALLED):
                    logger.info("broker: making the tables stream_adapter_… in the database")
                    connection.execute(SCHEMA)
        self._is_checked = True

    def prepare(self, timeout: float) -> None:
        """Make the tables, unless this process has found them there before."""
        if not self._is_checked:
            with self.use(timeout, writes=False):
                pass

    @contextmanager
    def use(self, timeout: float, *, writes: bool) -> Generator[Connection]:
        """Lend a connection, for so many seconds.

        Args:
            timeout: seconds.
            writes: whether a lost reply is a PublishTimeoutError, for what was asked may be done.
        """
        until = time.monotonic() + timeout
        if not self._slots.acquire(timeout=timeout):
            raise BrokerUnavailableError(f"the broker's connections were busy for {timeout:g} s")
        try:
            connection = self._taken(until)
            connection.until = until
            try:
                yield connection
            except psycopg.Error as error:
                raise _translated(connection, error, timeout, writes=writes) from error
            finally:
                self._give_back(connection)
        finally:
            self._slots.release()

    def _taken(self, until: float) -> Connection:
        with self._guard:
            connection = self._free.pop() if self._free else None
        if connection is not None and _is_alive(connection):
            return connection
        if connection is not None:
            self._clear()  # the server has gone: so have the others
        return self.dial(max(until - time.monotonic(), 0.1))

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.close()  # a reply that comes later must not be taken for another's
            return
        with self._guard:
            if not self._is_closed:
                self._free.append(connection)
                return
        connection.close()

    def _clear(self) -> None:
        with self._guard:
            free, self._free = self._free, []
        for connection in free:
            connection.close()

    def close(self) -> None:
        """Close those that are not in use; the others are closed when they are given back."""
        with self._guard:
            self._is_closed = True
        self._clear()


def _is_alive(connection: Connection) -> bool:
    """Return False if the server has closed an idle connection, or said that it will."""
    if connection.closed:
        return False
    try:
        connection.pgconn.consume_input()
    except psycopg.Error:
        return False
    return connection.pgconn.status == psycopg.pq.ConnStatus.OK


def _translated(connection: Connection, error: psycopg.Error, timeout: float, *, writes: bool) -> Exception:
    if error.sqlstate == FENCED:
        return FencedError("this run has ended, or another one has taken its place")
    if error.sqlstate is not None or not writes:
        return unavailable(error)  # the server has said that it did not do it
    if connection.until is not None and time.monotonic() > connection.until:
        return PublishTimeoutError(f"the broker's database did not answer within {timeout:g} s")
    return PublishTimeoutError("the connection to the broker's database was lost before it had answered")


def _one(connection: Connection, statement: str) -> object:
    row = connection.execute(cast("Any", statement)).fetchone()
    return None if row is None else row[0]
