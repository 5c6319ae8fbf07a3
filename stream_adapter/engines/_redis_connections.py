"""Connections to Redis: small pools of redis-py's, set up so that nothing is repeated behind the caller's back.

redis-py's defaults do not suit a broker: ten silent retries, which append twice where a reply was lost, and one
timeout for everything. Here a command is sent once, on a connection that knows which server it speaks to.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import redis
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from ._batches import Batch, Batches
from ._redis_commands import Command
from ._redis_replies import checked, lost, outcome_of, read_reply, read_reply_async, run_id_of, unavailable
from ._redis_script import SCRIPT
from ._urls import shown_url

__all__ = ["Connections"]

_SyncPool: Any = redis.BlockingConnectionPool
_AsyncPool: Any = aioredis.BlockingConnectionPool
_POOL_SIZE = 8  # connections for each timeout in use: one for publishers, one for reads
_READ_BY = {"protocol", "decode_responses", "encoding", "encoding_errors", "redis_connect_func"}
_TIMES = {"timeout", "socket_timeout", "socket_connect_timeout", "health_check_interval"}
_TRIES = {"retry", "retry_on_timeout", "retry_on_error", "max_connections"}
_FIXED = _READ_BY | _TIMES | _TRIES  # options that this module gives itself
_LOST = (RedisError, OSError, ValueError)  # the last from redis-py, when another thread closes its connection
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}


class Connections:
    """Pools: one for each timeout, and for async callers one for each loop as well. Constructing does no I/O.

    Args:
        url: `redis://`, `rediss://`, `valkey://`, `valkeys://` or `unix://`, with redis-py's options in its query.

    Raises:
        ValueError: the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        self._url = f"{_SCHEMES.get(scheme, scheme)}://{_without_fixed(rest)}"
        self._guard = threading.Lock()
        self._is_closed = False
        self._caller = threading.local()  # `until`: when the time of the call in this thread is over
        self._servers: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # of each connection: its server's run_id
        self._pools: dict[float, Any] = {}  # redis-py leaves some methods of its pools without types
        self._async_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Any]] = WeakKeyDictionary()
        self._writes = Batches[Command, Any](self._write)
        self._closing: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None]] = WeakKeyDictionary()
        try:
            _check_parts(self._url)
            pool = self._sync_pool(1.0)
            pool.connection_class(**pool.connection_kwargs)  # the options in the query are those of its constructor
        except (ValueError, TypeError, RedisError) as error:
            place = "/path" if scheme == "unix" else "[user:password@]host[:port][/database]"
            raise ValueError(f"url: expected {scheme}://{place}[?option=…], got {shown_url(url)} ({error})") from None

    def forget(self) -> None:
        """Begin without connections, in a forked child; those of the parent stay open."""
        self._guard = threading.Lock()
        self._servers = WeakKeyDictionary()
        self._pools = {}
        self._async_pools = WeakKeyDictionary()
        self._writes = Batches(self._write)
        self._closing = WeakKeyDictionary()

    def dial(self, timeout: float) -> Any:
        """Connect outside of the pools, and return redis-py's connection.

        Args:
            timeout: seconds to connect, and to wait for the rest of a reply that has begun.
        """
        pool = self._sync_pool(timeout)
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
        pool = self._sync_pool(timeout)
        self._caller.until = until
        try:
            connection = pool.get_connection()
        except _LOST as error:
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
            if isinstance(error, _LOST):
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

    async def arun_all(self, commands: Sequence[Command], timeout: float, *, writes: bool) -> list[Any]:
        """Send commands in one round trip, on an event loop."""
        until = asyncio.get_running_loop().time() + timeout
        replies = await self._exchange(lambda: commands, timeout, until, writes=writes)
        return [checked(reply) for reply in replies]

    async def awrite(self, command: Command, timeout: float) -> Any:
        """Send a command that writes, on an event loop, together with those of other callers."""
        return await self._writes.ask(command, command.size, timeout)

    async def _write(self, batch: Batch[Command, Any]) -> list[Any]:
        replies = await self._exchange(batch.begin, batch.timeout, batch.until, writes=True)
        return [outcome_of(reply) for reply in replies]

    async def _exchange(
        self, begin: Callable[[], Sequence[Command]], timeout: float, until: float, *, writes: bool
    ) -> list[Any]:
        """Send commands, and return their replies, errors of the server among them.

        Args:
            begin: returns the commands, when there is a connection to send them on.
            timeout: seconds of a caller.
            until: when all must be done, as the loop counts.
            writes: whether a lost reply is a PublishTimeoutError.
        """
        pool = await self._async_pool(timeout)
        connection: Any = None
        commands: Sequence[Command] = ()
        replies: list[Any] = []
        try:
            async with asyncio.timeout_at(until):
                connection = await pool.get_connection()
                server = self._servers[connection]
                commands = begin()
                if commands:
                    await connection.send_packed_command([b"".join(command.to(server) for command in commands)])
                replies.extend([await read_reply_async(connection) for _ in commands])
        except BaseException as error:
            if connection is None:
                if isinstance(error, _LOST):
                    raise unavailable(error) from error
                raise
            await connection.disconnect(nowait=True)
            if isinstance(error, _LOST):
                raise (lost(error, timeout) if writes else unavailable(error)) from error
            raise
        finally:
            if connection is not None:
                await pool.release(connection)
        missing = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missing:  # SCRIPT FLUSH: nothing of these was done
            await pool.disconnect(inuse_connections=False)  # each loads the script when it connects again
            again = await self._exchange(lambda: [commands[at] for at in missing], timeout, until, writes=writes)
            for at, reply in zip(missing, again, strict=True):
                replies[at] = reply
        return replies

    def close(self) -> None:
        """Close the sync pools, and have each loop close its own, which are touched there only.

        A connection that another thread uses is closed when it is given back.
        """
        with self._guard:
            self._is_closed = True
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.disconnect(inuse_connections=False)
        for loop, closing in list(self._closing.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(closing.aclose(), loop)

    async def aclose(self) -> None:
        """Close the pools of the running loop."""
        loop = asyncio.get_running_loop()
        self._async_pools.pop(loop, None)
        closing = self._closing.pop(loop, None)
        if closing is not None:
            await closing.aclose()

    def _sync_pool(self, timeout: float) -> Any:
        with self._guard:
            pool = self._pools.get(timeout)
            if pool is None:
                pool = self._pools[timeout] = _SyncPool.from_url(
                    self._url,
                    **self._options(timeout),
                    timeout=timeout,
                    retry=Retry(NoBackoff(), 0),
                    redis_connect_func=self._greet,
                )
                pool.connection_class = _in_time(pool.connection_class, self._caller, timeout)
            return pool

    async def _async_pool(self, timeout: float) -> Any:
        loop = asyncio.get_running_loop()
        pools = self._async_pools.get(loop)
        if pools is None:
            pools = self._async_pools[loop] = {}
            closing = self._closing[loop] = _close_with_loop(pools)
            await anext(closing)
        with self._guard:
            pool = pools.get(timeout)
            if pool is None:
                pool = pools[timeout] = _AsyncPool.from_url(
                    self._url,
                    **{**self._options(timeout), "socket_timeout": None},  # `_exchange` has one deadline for all
                    timeout=timeout,
                    retry=AsyncRetry(NoBackoff(), 0),
                    redis_connect_func=self._agreet,
                )
            return pool

    def _options(self, timeout: float) -> dict[str, Any]:
        options = {
            "max_connections": _POOL_SIZE,
            "protocol": 2,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "health_check_interval": 0,
        }
        return options if self._url.startswith("unix:") else {**options, "socket_keepalive": True}

    def _greet(self, connection: Any) -> None:
        """Log in, ask for the server's `run_id`, and load the script: once for each connection."""
        until = getattr(self._caller, "until", None)
        if until is not None:  # the caller may have waited for its turn
            connection._sock.settimeout(max(until - time.monotonic(), 0.001))  # noqa: SLF001  # redis-py has no way in
        connection.on_connect()
        connection.send_packed_command(connection.pack_commands(_GREETING))
        self._servers[connection] = run_id_of(connection.read_response())
        connection.read_response()
        if until is not None:
            connection._sock.settimeout(connection.socket_timeout)  # noqa: SLF001

    async def _agreet(self, connection: Any) -> None:
        await connection.on_connect()
        await connection.send_packed_command(connection.pack_commands(_GREETING))
        self._servers[connection] = run_id_of(await connection.read_response())
        await connection.read_response()


def _in_time(connection_class: Any, caller: threading.local, longest: float) -> Any:
    """Return a class of connections that connect within the time of the call in their thread, to whatever addresses."""

    def timeout(_: object) -> float:
        until = getattr(caller, "until", None)
        return longest if until is None else min(longest, max(until - time.monotonic(), 0.001))

    return type("InTime", (connection_class,), {"socket_connect_timeout": property(timeout, _ignore)})


def _ignore(*_: object) -> None:
    pass


def _without_fixed(url: str) -> str:
    """Return a URL without the options that this module gives itself, for redis-py prefers those of the URL."""
    place, _, query = url.partition("?")
    kept = [option for option in query.split("&") if option and unquote(option.partition("=")[0]) not in _FIXED]
    return f"{place}?{'&'.join(kept)}" if kept else place


def _check_parts(url: str) -> None:
    """Raise ValueError for a URL that redis-py would take for another one; the error quotes no part of it."""
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("a port that is a number; in a password write / as %2F, ? as %3F and # as %23") from None
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdecimal():
        raise ValueError("a database that is a number")
    if parts.scheme == "unix" and not database:
        raise ValueError("the path of a socket")


async def _close_with_loop(pools: dict[float, Any]) -> AsyncGenerator[None]:
    """Close pools when this generator is closed, which a loop does for its generators when it shuts down.

    All are closed if that is cancelled, as it is where the process ends while they are closed.
    """
    try:
        yield
    finally:
        cancelled: asyncio.CancelledError | None = None
        for pool in pools.values():
            try:
                await pool.disconnect()
            except asyncio.CancelledError as error:
                cancelled = error
                await pool.disconnect()  # it may not have begun with all of its connections
        pools.clear()
        if cancelled is not None:
            raise cancelled


_GREETING = [("INFO", "server"), ("SCRIPT", "LOAD", SCRIPT)]
