"""A server with an application under test, what the application tells, and a client that behaves badly on purpose."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.gate import BOUND
from tests.support.servers import Server

Serve = Callable[..., AbstractContextManager[Server]]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Resources:
    """What a process has at one moment.

    Attributes:
        produced: bytes that its sources have yielded since the last reset.
        tasks: tasks of its loop; -1 if the loop answers nobody.
        threads: of the operating system.
        fds: open file descriptors.
        rss: resident bytes.
    """

    produced: int
    tasks: int
    threads: int
    fds: int
    rss: int


class Probe:
    """The test's end of the reporters of one application, one a process.

    Attributes:
        opened: sources begun.
        waiting: sync sources that have come to where they block.
        closed: sources whose `finally` ran.
        closed_at: when the last of them did, on the clock of `time.monotonic`, which all processes share.
        reasons: how often each reason was reported.
        processes: how many processes have the application now.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.opened = self.waiting = self.closed = self.processes = 0
        self.closed_at = 0.0
        self.reasons: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._answers: list[dict[str, int]] = []
        self._connections: list[socket.socket] = []
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def wait(self, holds: Callable[[Probe], object]) -> None:
        """Wait until a condition on what was told holds; a test fails if it never does."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self), BOUND):
                raise AssertionError(f"it never came to that: {self}")

    def wait_all_closed(self, count: int) -> None:
        """Wait until `count` sources have been opened, and closed, and each stream has said why it ended."""
        self.wait(lambda it: it.opened == it.closed == it.reasons.total() == count)

    def measure(self) -> Resources:
        """Ask what the process has now."""
        return Resources(**self._ask("measure"))

    def release(self) -> None:
        """Let go the sources that block."""
        self._ask("release")

    def reset(self) -> None:
        """Begin to count anew."""
        self._ask("reset")
        with self._changed:
            assert self.opened == self.closed, f"a stream of another test still runs: {self}"
            self.opened = self.waiting = self.closed = 0
            self.reasons.clear()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def __str__(self) -> str:
        return f"{self.opened} opened, {self.closed} closed, {dict(self.reasons)}, {self.processes} processes"

    def _ask(self, command: str) -> dict[str, int]:
        with self._changed:
            self._answers.clear()
            self._connections[-1].sendall(command.encode() + b"\n")
            if not self._changed.wait_for(lambda: self._answers, 2 * BOUND):
                raise AssertionError("the application does not answer")
            return self._answers.pop()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end of the test
            while True:
                connection, _ = self._listener.accept()
                with self._changed:
                    self._connections.append(connection)
                    self.processes += 1
                    self._changed.notify_all()
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection.makefile() as lines:
            for line in lines:
                with self._changed:
                    self._note(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self.processes -= 1
            self._changed.notify_all()

    def _note(self, message: dict[str, Any]) -> None:
        match message:
            case {"answer": answer}:
                self._answers.append(answer)
            case {"event": "opened"}:
                self.opened += 1
            case {"event": "waiting"}:
                self.waiting += 1
            case {"event": "closed", "at": at}:
                self.closed += 1
                self.closed_at = at
            case {"event": "ended", "reason": reason}:
                self.reasons[reason] += 1
            case _:
                raise ValueError(f"no such message: {message}")


class Client:
    """One request over a socket of its own, for what no polite client does.

    Attributes:
        received: all that came, head and chunk sizes included.
    """

    def __init__(self, port: int, path: str) -> None:
        self.received = b""
        self._socket = socket.create_connection(("127.0.0.1", port), BOUND)
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def read(self, size: int) -> Client:
        """Read until at least `size` bytes have come."""
        while len(self.received) < size and self._receive():
            pass
        assert len(self.received) >= size, self.received
        return self

    def read_until(self, text: bytes) -> Client:
        """Read until `text` has come."""
        while text not in self.received and self._receive():
            pass
        assert text in self.received, self.received
        return self

    def read_to_the_end(self) -> Client:
        """Read until the response is complete, or the connection is not any more."""
        with contextlib.suppress(ConnectionError):
            while not self.complete and self._receive():
                pass
        return self

    @property
    def complete(self) -> bool:
        """Whether the response came to a polite end: the last chunk, or as much as was announced (RFC 9112, 6.3)."""
        head, _, body = self.received.partition(b"\r\n\r\n")
        announced = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if announced is not None:
            return len(body) >= int(announced[1])
        return self.received.endswith(b"\r\n0\r\n\r\n")

    @property
    def status(self) -> int:
        return int(self.received.split(b" ", 2)[1])

    def reset(self) -> float:
        """Leave by RST; return when. Does nothing the second time."""
        if self._socket.fileno() < 0:
            return time.monotonic()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        at = time.monotonic()
        self._socket.close()
        return at

    def finish(self) -> float:
        """Leave by FIN; return when. What is sent after it is answered by RST, as by any client that has closed."""
        at = time.monotonic()
        with contextlib.suppress(OSError):  # the server was first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        return at

    def _receive(self) -> bool:
        data = self._socket.recv(65536)
        self.received += data
        return bool(data)


@dataclass(frozen=True)
class Host:
    """A framework's application under a server.

    Attributes:
        server: its name.
        framework: its name.
        serve: how the server is run.
        app: an application of tests/faults/apps, `module:name`; its module makes a reporter when it is imported.
        options: of the server's command line.
    """

    server: str
    framework: str
    serve: Serve
    app: str
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.server}-{self.framework}"


@dataclass
class Subject:
    """An application under test, and its server."""

    server: Server
    probe: Probe
    _clients: list[Client] = field(default_factory=list[Client])

    def stream(self, name: str, way: str, options: str = "unlimited") -> Client:
        """Ask for a stream."""
        return self._ask(f"/stream/{name}/{way}/{options}")

    def hello(self) -> None:
        """Have an ordinary request answered."""
        client = self._ask("/hello").read_until(b"hello")
        assert client.status == 200
        client.finish()

    def forget(self, client: Client) -> None:
        """Have one client leave."""
        client.reset()
        self._clients.remove(client)

    def leave(self) -> None:
        """Close the connections of all clients that are left."""
        while self._clients:
            self._clients.pop().reset()

    def _ask(self, path: str) -> Client:
        client = Client(self.server.port, path)
        self._clients.append(client)
        return client

    def wait_level(self) -> Resources:
        """Wait until nothing more is produced, or far too much is."""
        last, unchanged = self.probe.measure(), 0
        while unchanged < 3 and last.produced < 64 * MIB:
            time.sleep(0.05)  # an interval of measuring: that nothing more comes is no event
            now = self.probe.measure()
            unchanged = unchanged + 1 if now.produced == last.produced else 0
            last = now
        return last

    def wait_still(self) -> Resources:
        """Wait until the process neither opens nor closes anything, and return what it has."""
        last, unchanged = self.probe.measure(), 0
        while unchanged < 3:
            time.sleep(0.05)  # an interval of measuring, as above
            now = self.probe.measure()
            unchanged = unchanged + 1 if (now.fds, now.threads) == (last.fds, last.threads) else 0
            last = now
        return last

    def wait_settled(self, before: Resources, *, more_threads: int) -> Resources:
        """Wait until the process has no more than it had; return what it has, whether or not it came to that."""
        now = self.probe.measure()
        for _ in range(200):
            if now.tasks <= before.tasks and now.fds <= before.fds and now.threads <= before.threads + more_threads:
                break
            time.sleep(0.05)  # the server's own descriptors close when it pleases, and tell nobody
            now = self.probe.measure()
        return now


@contextmanager
def run(host: Host, *options: str, **env: str) -> Generator[Subject]:
    """Serve a host.

    Args:
        host: what is served, and by what.
        *options: more of the server's command line.
        **env: of its environment.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "probe")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        probe = Probe(listener)
        try:
            app = f"tests.faults.apps.{host.app}"
            with host.serve(app, *host.options, *options, FAULTS_PROBE=path, **env) as server:
                subject = Subject(server, probe)
                try:
                    probe.wait(lambda it: it.processes)
                    subject.hello()  # it has started, and has what it needs for an ordinary request
                    yield subject
                except BaseException:
                    print(server.log())  # noqa: T201  # what pytest shows with a failed test
                    raise
                finally:
                    subject.leave()
        finally:
            probe.close()
