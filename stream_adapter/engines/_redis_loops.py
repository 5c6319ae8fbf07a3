"""Connections to Redis for event loops, by redis-py's async side.

Each loop has one connection for each timeout in use that sends what is written, and another that reads. What callers
write at the same time is sent together, so that a second one would have nothing to do.

Who owns what:

    a line          its loop, which alone touches it
    a connection    its line: one exchange at a time has it. It is made again where it is
                    lost, and closed with the loop, or with the engine
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from ._batches import Batch, Batches
from ._redis_commands import Command
from ._redis_replies import LOST, checked, lost, outcome_of, read_reply_async, run_id_of, unavailable
from ._redis_urls import GREETING, options_of

__all__ = ["LoopConnections"]

_Pool: Any = aioredis.ConnectionPool  # redis-py leaves some methods of its pools without types


class LoopConnections:
    """The connections of event loops. Constructing does no I/O.

    Args:
        url: as `checked_url` returns it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.forget()

    def forget(self) -> None:
        """Begin without connections, in a forked child; those of the parent stay open."""
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lines] = WeakKeyDictionary()
        self._closing: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None]] = WeakKeyDictionary()
        self._writes = Batches[Command, Any](self._write)

    async def write(self, command: Command, timeout: float) -> Any:
        """Send a command that writes, together with those of other callers."""
        return await self._writes.ask(command, command.size, timeout)

    async def _write(self, batch: Batch[Command, Any]) -> list[Any]:
        line = await self._line(batch.timeout, writes=True)
        return [outcome_of(reply) for reply in await line.exchange(batch.begin, batch.until)]

    async def read(self, commands: Sequence[Command], timeout: float) -> list[Any]:
        """Send commands in one round trip."""
        until = asyncio.get_running_loop().time() + timeout
        line = await self._line(timeout, writes=False)
        return [checked(reply) for reply in await line.exchange(lambda: commands, until)]

    async def _line(self, timeout: float, *, writes: bool) -> _Line:
        loop = asyncio.get_running_loop()
        lines = self._lines.get(loop)
        if lines is None:
            lines = self._lines[loop] = {}
            closing = self._closing[loop] = _close_with_loop(lines)
            await anext(closing)
        line = lines.get((timeout, writes))
        if line is None:
            line = lines[timeout, writes] = _Line(self._url, timeout, writes=writes)
        return line

    def close(self) -> None:
        """Have each loop close its own."""
        for loop, closing in list(self._closing.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(closing.aclose(), loop)

    async def aclose(self) -> None:
        """Close those of the running loop."""
        loop = asyncio.get_running_loop()
        self._lines.pop(loop, None)
        closing = self._closing.pop(loop, None)
        if closing is not None:
            await closing.aclose()


class _Line:
    """One connection, for one exchange at a time.

    Args:
        url: where to.
        timeout: seconds of a caller.
        writes: whether a lost reply is a PublishTimeoutError, for what was asked may be done.
    """

    def __init__(self, url: str, timeout: float, *, writes: bool) -> None:
        self._timeout = timeout
        self._writes = writes
        options = {**options_of(url, timeout), "socket_timeout": None}  # `exchange` has one deadline for all
        self._pool = _Pool.from_url(url, **options, retry=Retry(NoBackoff(), 0), redis_connect_func=self._greet)
        self._connection: Any = self._pool.make_connection()  # the pool has none: it knows how they are made
        self._server = ""  # its `run_id`
        self._turn = asyncio.Lock()

    async def _greet(self, connection: Any) -> None:
        """Log in, ask for the server's `run_id`, and load the script: once for each connection."""
        await connection.on_connect()
        await connection.send_packed_command(connection.pack_commands(GREETING))
        self._server = run_id_of(await connection.read_response())
        await connection.read_response()

    async def exchange(self, begin: Callable[[], Sequence[Command]], until: float) -> list[Any]:
        """Send commands, and return their replies, errors of the server among them.

        Args:
            begin: returns the commands, when there is a connection to send them on.
            until: when all must be done, as the loop counts.
        """
        commands: Sequence[Command] | None = None
        replies: list[Any] = []
        async with self._turn:  # who has it gives it back within its time, and came first
            try:
                async with asyncio.timeout_at(until):
                    await self._pool.ensure_connection(self._connection)
                    commands = begin()
                    if commands:
                        packed = b"".join(command.to(self._server) for command in commands)
                        await self._connection.send_packed_command([packed])
                    replies.extend([await read_reply_async(self._connection) for _ in commands])
            except BaseException as error:
                await self._connection.disconnect(nowait=True)  # a reply that comes later must not be taken for another
                if isinstance(error, LOST):
                    is_unknown = self._writes and commands is not None
                    raise (lost(error, self._timeout) if is_unknown else unavailable(error)) from error
                raise
        missing = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missing:  # SCRIPT FLUSH: nothing of these was done
            await self._connection.disconnect(nowait=True)  # it loads the script when it connects again
            again = await self.exchange(lambda: [commands[at] for at in missing], until)
            for at, reply in zip(missing, again, strict=True):
                replies[at] = reply
        return replies

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect()


_Lines = dict[tuple[float, bool], _Line]


async def _close_with_loop(lines: _Lines) -> AsyncGenerator[None]:
    """Close lines when this generator is closed, which a loop does for its generators when it shuts down.

    All are closed if that is cancelled, as it is where the process ends while they are closed.
    """
    try:
        yield
    finally:
        cancelled: asyncio.CancelledError | None = None
        for line in lines.values():
            try:
                await line.close()
            except asyncio.CancelledError as error:
                cancelled = error
                await line.close()  # it may not have begun
        lines.clear()
        if cancelled is not None:
            raise cancelled
