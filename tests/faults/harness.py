"""A server with an application under test: what a test asks of it, and waits for."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.servers import Server

from .client import Client
from .probe import Probe, Resources

Serve = Callable[..., AbstractContextManager[Server]]
MIB = 1024 * 1024


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

    def stream(self, name: str, way: str, options: str = "unlimited", **client: Any) -> Client:
        """Ask for a stream."""
        return self._ask(f"/stream/{name}/{way}/{options}", **client)

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

    def _ask(self, path: str, **options: Any) -> Client:
        client = Client(self.server.port, path, **options)
        self._clients.append(client)
        return client

    def wait_level(self) -> Resources:
        """Wait until nothing more is produced, or far too much is."""
        last, unchanged = self.probe.measure(), 0
        while unchanged < 3 and last.produced < 64 * MIB:
            time.sleep(0.05)  # an interval of measuring: no event reports that nothing more comes
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
            time.sleep(0.05)  # the server's own descriptors close at any time, without an event
            now = self.probe.measure()
        return now


@contextmanager
def probed(host: Host, *options: str, **env: str) -> Generator[tuple[Server, Probe]]:
    """Serve a host, and listen to what its application tells.

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
                try:
                    probe.wait(lambda it: it.processes)
                    yield server, probe
                except BaseException:
                    print(server.log())  # noqa: T201  # what pytest shows with a failed test
                    raise
        finally:
            probe.close()


@contextmanager
def run(host: Host, *options: str, **env: str) -> Generator[Subject]:
    """Serve a host over HTTP/1.1; the arguments are those of `probed`."""
    with probed(host, *options, **env) as (server, probe):
        subject = Subject(server, probe)
        try:
            subject.hello()  # it has started, and has what it needs for an ordinary request
            yield subject
        finally:
            subject.leave()
