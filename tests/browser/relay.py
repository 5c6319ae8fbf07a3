"""A connection that breaks half way."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from anyio import BrokenResourceError, CancelScope, IncompleteRead, connect_tcp, create_task_group, create_tcp_listener
from anyio.abc import SocketAttribute, SocketStream
from anyio.from_thread import start_blocking_portal
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["Relay", "breaking"]

_LONGEST_HEAD = 65536


@dataclass
class Relay:
    """What stands before a server, and breaks the first connection that brings a client much.

    Attributes:
        port: where it listens.
        requests: the header of each request that it has passed on, its names in lower case.
    """

    _server: int
    _limit: int
    _before_break: Callable[[], object]
    port: int = 0
    requests: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    _has_broken: bool = False

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}/"

    async def handle(self, client: SocketStream) -> None:
        """Pass on what a connection brings, both ways, until one side has left, or it is broken."""
        async with client, await connect_tcp("127.0.0.1", self._server) as server, create_task_group() as group:
            group.start_soon(self._pass_requests, client, server, group.cancel_scope)
            with suppress(BrokenResourceError):
                await self._pass_answers(server, client)
            group.cancel_scope.cancel()

    async def _pass_answers(self, server: SocketStream, client: SocketStream) -> None:
        passed = 0
        async for block in server:
            await client.send(block)
            passed += len(block)
            if passed > self._limit and not self._has_broken:
                self._has_broken = True
                self._before_break()
                return

    async def _pass_requests(self, client: SocketStream, server: SocketStream, scope: CancelScope) -> None:
        """Pass on requests, which have no body."""
        buffered = BufferedByteReceiveStream(client)
        with suppress(IncompleteRead, BrokenResourceError):
            while True:
                head = await buffered.receive_until(b"\r\n\r\n", _LONGEST_HEAD)
                _, *fields = head.decode("latin-1").split("\r\n")
                self.requests.append({name.lower(): value for name, _, value in (it.partition(": ") for it in fields)})
                await server.send(head + b"\r\n\r\n")
        scope.cancel()


@contextmanager
def breaking(server: int, *, limit: int, before_break: Callable[[], object]) -> Generator[Relay]:
    """Stand before a server.

    Args:
        server: its port.
        limit: bytes after which a connection breaks; it brings a few more.
        before_break: called before it breaks.
    """
    relay = Relay(server, limit, before_break)
    with start_blocking_portal() as portal:
        listener = portal.call(lambda: create_tcp_listener(local_host="127.0.0.1"))
        relay.port = listener.extra(SocketAttribute.local_port)
        serving = portal.start_task_soon(listener.serve, relay.handle)
        yield relay
        serving.cancel()
        portal.call(listener.aclose)
