"""Many clients of event streams, on one event loop: they read, leave, and come back with the last id that they saw."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from inspect import getclosurevars
from typing import Any, NamedTuple

from tests.support.servers import Server

__all__ = ["BOUND", "Client", "Heard", "ask", "assert_no_silent_gap", "crowd", "wait_for_all", "wait_until"]

BOUND = 60.0  # seconds that anything may take on a busy machine
_AGAIN = 0.05  # seconds between two looks, and two attempts to connect


class Heard(NamedTuple):
    """One event."""

    id: str | None
    event: str | None
    data: Any


class Client:
    """One client. Its server may change between two connections.

    Attributes:
        heard: all events of all its connections, in their order.
        statuses: of each response.
        keepalives: comments.
        retries: milliseconds that the server asked to wait.
        ends: how many of its connections the server has ended.
    """

    def __init__(self, path: str = "/events/sse", *, buffer: int | None = None, is_event_source: bool = False) -> None:
        self.heard: list[Heard] = []
        self.statuses: list[int] = []
        self.keepalives = 0
        self.retries: list[int] = []
        self.ends = 0
        self.last_id: str | None = None
        self._path = path
        self._accept = "Accept: text/event-stream\r\n" if is_event_source else ""
        self._buffer = buffer
        self._fields: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._reads = asyncio.Event()
        self._reads.set()

    def __repr__(self) -> str:
        return f"<Client: {len(self.statuses)} answers, {self.ends} ends, last heard {self.heard[-3:]}>"

    @property
    def data(self) -> list[Any]:
        """What was published, as far as it was heard."""
        return [each.data for each in self.heard if each.event != "stream-open"]

    @property
    def resets(self) -> list[str]:
        """Reasons of its resets."""
        return [each.data["reason"] for each in self.heard if each.event == "stream-reset"]

    def connect(self, server: Server, *, stays: bool = False) -> None:
        """Listen from the last id on.

        Args:
            server: where.
            stays: whether to connect again when the server ends the response, or refuses it.
        """
        self._task = asyncio.ensure_future(self._listen(server.port, stays))

    def pause(self) -> None:
        """Read no more."""
        self._reads.clear()

    def go_on(self) -> None:
        """Read again."""
        self._reads.set()

    async def leave(self) -> None:
        """Close the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen(self, port: int, stays: bool) -> None:
        while True:
            with suppress(OSError, EOFError):
                await self._read_one(port)
            self.ends += 1
            if not stays:
                return
            await asyncio.sleep(_AGAIN)

    async def _read_one(self, port: int) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        if self._buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except BaseException:
            connection.close()
            raise
        limit = 65536 if self._buffer is None else self._buffer
        reader, writer = await asyncio.open_connection(sock=connection, limit=limit)
        self._fields = {}
        try:
            cursor = "" if self.last_id is None else f"Last-Event-ID: {self.last_id}\r\n"
            writer.write(f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n{self._accept}{cursor}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            self.statuses.append(int(head.split(b" ", 2)[1]))
            if self.statuses[-1] != 200:
                return
            await self._read_body(reader)
        finally:
            writer.transport.abort()

    async def _read_body(self, reader: asyncio.StreamReader) -> None:
        received = b""
        while True:
            await self._reads.wait()
            size = int(await reader.readuntil(b"\r\n"), 16)
            received += (await reader.readexactly(size + 2))[:-2]
            *lines, received = received.split(b"\n")
            self._take(lines)
            if not size:
                return

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            name, _, value = line.decode().partition(": ")
            if not line:
                self._dispatch()
            elif line.startswith(b":"):
                self.keepalives += 1
            elif name == "retry":
                self.retries.append(int(value))
            else:
                self._fields[name] = value

    def _dispatch(self) -> None:
        fields, self._fields = self._fields, {}
        if fields.get("id"):
            self.last_id = fields["id"]
        if "data" not in fields:
            return
        data = fields["data"]
        with suppress(json.JSONDecodeError):
            data = json.loads(data)
        self.heard.append(Heard(fields.get("id"), fields.get("event"), data))


async def wait_until(condition: Callable[[], object], *, bound: float = BOUND) -> None:
    """Return when a condition is met: polled, because other processes do not notify this one."""
    try:
        async with asyncio.timeout(bound):
            while not condition():  # noqa: ASYNC110  # of other processes
                await asyncio.sleep(_AGAIN)
    except TimeoutError:
        raise AssertionError(f"it never came to that: {getclosurevars(condition).nonlocals}") from None


async def wait_for_all(
    clients: Sequence[Client], condition: Callable[[Client], object], *, bound: float = BOUND
) -> None:
    """Return when each client meets a condition."""
    await wait_until(lambda: all(condition(client) for client in clients), bound=bound)


async def ask(server: Server, action: str) -> str:
    """Return the answer to /control/<action>."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(f"GET /control/{action} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        async with asyncio.timeout(BOUND):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0], head
        return body.decode()
    finally:
        writer.transport.abort()


@asynccontextmanager
async def crowd(
    servers: Sequence[Server], count: int, path: str = "/events/sse", *, stays: bool = False
) -> AsyncGenerator[list[Client]]:
    """Listen with `count` clients, spread over servers; each has had its opening."""
    clients = [Client(path) for _ in range(count)]
    try:
        for number, client in enumerate(clients):
            client.connect(servers[number % len(servers)], stays=stays)
        await wait_until(lambda: all(client.heard for client in clients))
        yield clients
    finally:
        for client in clients:
            await client.leave()


def place_of(identity: str | None) -> tuple[str, int]:
    """Return the epoch and offset of an id."""
    assert identity is not None
    epoch, _, offset = identity.rpartition(".")
    return epoch, int(offset)


def assert_no_silent_gap(client: Client) -> None:
    """Each event of one channel is the last + 1, or a reset comes before it."""
    place: tuple[str, int] | None = None
    for each in client.heard:
        if each.event not in {"stream-open", "stream-reset"} and place is not None:
            assert place_of(each.id) == (place[0], place[1] + 1), client.heard
        if each.id is not None:
            place = place_of(each.id)
