"""A TCP proxy between a client and its broker's store, which drops what a test selects."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

__all__ = ["FaultProxy"]

_CHUNK = 65536
_START_SECONDS = 10.0


class FaultProxy:
    """Passes bytes on between clients and one server, until it is asked for a fault. Enter it with `with`.

        with FaultProxy("127.0.0.1", 6379) as proxy:
            live = sa.Broker(f"redis://127.0.0.1:{proxy.port}/0")
            proxy.drop_replies()
            live.publish("orders", "paid", key="payment-7")   # raises PublishTimeoutError: though it is stored

    Its faults hold for the connections that there are and for those to come, until `heal`.

    Args:
        host: of the server.
        port: of the server.

    Attributes:
        port: where it listens, on 127.0.0.1; chosen by the system.
        connections: how many clients have connected so far.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections: int = 0
        self._drops_requests = self._drops_replies = self._refuses = self._holds_requests = False
        self._held: list[tuple[asyncio.StreamWriter, bytes]] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = threading.Condition()
        self._dropped = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(_START_SECONDS):
            raise TimeoutError(f"the proxy did not start within {_START_SECONDS:g} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)

    def drop_requests(self) -> None:
        """Drop what clients send; connections stay open."""
        self._drops_requests = True

    def hold_requests(self) -> None:
        """Keep what clients send, and pass it on at `release`, though they may have given up by then."""
        self._holds_requests = True

    def release(self) -> None:
        """Pass on what was held, after what clients have sent since `heal`; those that are gone get no reply."""
        asyncio.run_coroutine_threadsafe(self._release(), self._loop).result(_START_SECONDS)

    def drop_replies(self) -> None:
        """Drop what the server sends; connections stay open."""
        self._drops_replies = True

    def drop_all(self) -> None:
        """Drop everything: a half-open connection, as after a cable was pulled."""
        self._drops_requests = self._drops_replies = True

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result(_START_SECONDS)

    def refuse(self) -> None:
        """Reset every connection, and each new one at once."""
        self._refuses = True
        self.cut()

    def heal(self) -> None:
        """Pass bytes on again. What was lost stays lost, so connections from before may be of no use."""
        self._drops_requests = self._drops_replies = self._refuses = self._holds_requests = False

    def wait_until_dropped(self, timeout: float = 10.0) -> None:
        """Return when something was lost, or held, since the last call.

        Raises:
            TimeoutError: nothing was, within `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._dropped, timeout):
                raise TimeoutError(f"expected bytes to lose, got none within {timeout:g} s")
            self._dropped = 0

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listener))
        self._started.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(self._reset())
            self._loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self._loop), return_exceptions=True))
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        server_writer: asyncio.StreamWriter | None = None
        try:
            if self._refuses:
                return
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            self._writers.add(server_writer)
            requests = asyncio.ensure_future(self._pass_on(reader, server_writer, requests=True))
            replies = asyncio.ensure_future(self._pass_on(server_reader, writer, requests=False))
            try:
                await asyncio.wait((requests, replies), return_when=asyncio.FIRST_COMPLETED)
            finally:
                requests.cancel()
                replies.cancel()
        except OSError:
            return  # the server is not there: neither is the connection
        finally:
            for side in (writer, server_writer):
                if side is not None and all(side is not held for held, _ in self._held):
                    self._writers.discard(side)
                    _abort(side)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, requests: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if requests and self._holds_requests:
                    self._held.append((writer, data))
                    self._note_fault()
                    continue
                if self._drops_requests if requests else self._drops_replies:
                    self._note_fault()
                    continue
                writer.write(data)
                await writer.drain()

    def _note_fault(self) -> None:
        with self._changed:
            self._dropped += 1
            self._changed.notify_all()

    async def _release(self) -> None:
        held, self._held = self._held, []
        for writer, data in held:
            writer.write(data)
            await writer.drain()
        for writer in {writer for writer, _ in held}:
            self._writers.discard(writer)
            writer.close()  # after what was written

    async def _reset(self) -> None:
        for writer in list(self._writers):
            _abort(writer)


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close a connection by RST."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
