"""Connections to Redis for threads: pools of redis-py's, set up so that nothing is repeated behind the caller's back.

A command is sent once, on a connection that knows which server it speaks to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from ._redis_commands import Command
from ._redis_replies import LOST, checked, lost, outcome_of, read_reply, run_id_of, unavailable
from ._redis_urls import GREETING, options_of

__all__ = ["Connections"]

_Pool: Any = redis.BlockingConnectionPool  # redis-py leaves some methods of its pools without types
_POOL_SIZE = 8  # connections for each timeout in use: one for publishers, one for reads


class Connections:
    """Pools, one for each timeout. Constructing does no I/O.

    Args:
        url: as `checked_url` returns it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_closed = False
        self._caller = threading.local()  # `until`: when the time of the call in this thread is over
        self.forget()

    def forget(self) -> None:
        """Begin without connections, in a forked child; those of the parent stay open."""
        self._guard = threading.Lock()
        self._servers: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # of each connection: its server's run_id
        self._pools: dict[float, Any] = {}

    def dial(self, timeout: float) -> Any:
        """Connect outside of the pools, and return redis-py's connection.

        Args:
            timeout: seconds to connect, and to wait for the rest of a reply that has begun.
        """
        pool = self._pool(timeout)
        connection = pool.connection_class(**pool.connection_kwargs)
        connection.connect()
        return connection

    def run(self, command: Command, timeout: float, *, writes: bool) -> Any:
        """Send one command and return its reply."""
        return self.run_all([command], timeout, writes=writes)[0]

    def run_all(self, commands: Sequence[Command], timeout: float, *, writes: bool) -> list[Any]:
        """Send commands in one round trip, and return their replies; see `outcomes`."""
        return [checked(reply) for reply in self._replies(commands, timeout, writes=writes)]

    def outcomes(self, commands: Sequence[Command], timeout: float, *, writes: bool) -> list[Any]:
        """Send commands in one round trip, and return for each its reply, or the error that it is.

        Args:
            commands: which.
            timeout: seconds.
            writes: whether a lost reply is a PublishTimeoutError, for what was asked may be done.
        """
        return [outcome_of(reply) for reply in self._replies(commands, timeout, writes=writes)]

    def _replies(self, commands: Sequence[Command], timeout: float, *, writes: bool) -> list[Any]:
        until = time.monotonic() + timeout
        pool = self._pool(timeout)
        self._caller.until = until
        try:
            connection = pool.get_connection()
        except LOST as error:
            raise unavailable(error) from error
        finally:
            self._caller.until = None
        try:
            server = self._servers[connection]
            connection.send_packed_command([b"".join(command.to(server) for command in commands)])
            replies: list[Any] = []
            for _ in commands:
                if not connection.can_read(timeout=max(until - time.monotonic(), 0.001)):
                    raise redis.TimeoutError("no reply")  # noqa: TRY301  # one place for what is lost
                replies.append(read_reply(connection.read_response))
        except BaseException as error:
            connection.disconnect()  # a reply that comes later must not be taken for another's
            if isinstance(error, LOST):
                raise (lost(error, timeout) if writes else unavailable(error)) from error
            raise
        finally:
            pool.release(connection)
            if self._is_closed:  # while it was in use
                pool.disconnect(inuse_connections=False)
        if any(isinstance(reply, NoScriptError) for reply in replies):  # SCRIPT FLUSH: nothing of it was done
            pool.disconnect(inuse_connections=False)  # each loads the script when it connects again
            return self._replies(commands, timeout, writes=writes)
        return replies

    def close(self) -> None:
        """Close the pools. A connection that a thread uses is closed when it is given back."""
        with self._guard:
            self._is_closed = True
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.disconnect(inuse_connections=False)

    def _pool(self, timeout: float) -> Any:
        with self._guard:
            pool = self._pools.get(timeout)
            if pool is None:
                pool = self._pools[timeout] = _Pool.from_url(
                    self._url,
                    **options_of(self._url, timeout),
                    max_connections=_POOL_SIZE,
                    timeout=timeout,
                    retry=Retry(NoBackoff(), 0),
                    redis_connect_func=self._greet,
                )
                pool.connection_class = _in_time(pool.connection_class, self._caller, timeout)
            return pool

    def _greet(self, connection: Any) -> None:
        """Log in, ask for the server's `run_id`, and load the script: once for each connection."""
        until = getattr(self._caller, "until", None)
        if until is not None:  # the caller may have waited for its turn
            connection._sock.settimeout(max(until - time.monotonic(), 0.001))  # noqa: SLF001  # redis-py has no way in
        connection.on_connect()
        connection.send_packed_command(connection.pack_commands(GREETING))
        self._servers[connection] = run_id_of(connection.read_response())
        connection.read_response()
        if until is not None:
            connection._sock.settimeout(connection.socket_timeout)  # noqa: SLF001


def _in_time(connection_class: Any, caller: threading.local, longest: float) -> Any:
    """Return a class of connections that connect within the time of the call in their thread, to whatever addresses."""

    def timeout(_: object) -> float:
        until = getattr(caller, "until", None)
        return longest if until is None else min(longest, max(until - time.monotonic(), 0.001))

    return type("InTime", (connection_class,), {"socket_connect_timeout": property(timeout, _ignore)})


def _ignore(*_: object) -> None:
    pass
