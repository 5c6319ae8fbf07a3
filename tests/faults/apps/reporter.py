"""What an application under test tells of itself: sources opened and closed as it happens, resources when asked.

It speaks over a Unix socket with a thread of its own, so that it answers whatever the server's threads and loop do.
Its report can be read after its process has ended.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import stream_adapter as sa
from tests.support.gate import BOUND

if "FAULTS_WITH_GC" not in os.environ:
    gc.disable()  # so that every close is an explicit one


class Reporter:
    """The application's end of a `probe.Probe`."""

    def __init__(self) -> None:
        self.produced = 0  # bytes that sources have yielded; of one stream at a time
        self.released = threading.Event()  # what blocked sources wait for
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connect()
        os.register_at_fork(after_in_child=self._connect)

    def _connect(self) -> None:
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(os.environ["FAULTS_PROBE"])
        threading.Thread(target=self._answer, name="reporter", daemon=True).start()

    def on_loop(self) -> None:
        """Count the tasks of this loop."""
        self._loop = asyncio.get_running_loop()

    def opened(self) -> None:
        self._tell(event="opened", at=time.monotonic())

    @contextmanager
    def source(self) -> Generator[None]:
        """Tell of a source that is opened, and closed when the block is left."""
        self.opened()
        try:
            yield
        finally:
            self.closed()

    def waiting(self) -> None:
        self._tell(event="waiting")

    def closed(self) -> None:
        self._tell(event="closed", at=time.monotonic())

    def ended(self, summary: sa.StreamSummary) -> None:
        self._tell(event="ended", reason=summary.reason)

    def _tell(self, **message: Any) -> None:
        with self._lock:
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _answer(self) -> None:
        for line in self._socket.makefile():
            match line.strip():
                case "measure":
                    self._tell(answer=self._measure())
                case "release":
                    self.released.set()
                    self._tell(answer={})
                case "reset":
                    self.produced = 0
                    self.released.clear()
                    self._tell(answer={})
                case command:
                    raise ValueError(f"no such command: {command}")

    def _measure(self) -> dict[str, int]:
        if gc.isenabled():
            gc.collect()  # so that only reachable objects count as growth
        return {
            "produced": self.produced,
            "tasks": self._count_tasks(),
            "threads": len(list(Path("/proc/self/task").iterdir())),
            "fds": sum(not _is_selector(fd) for fd in Path("/proc/self/fd").iterdir()),
            "rss": int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize(),
        }

    def _count_tasks(self) -> int:
        if self._loop is None:
            return 0

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        try:
            return asyncio.run_coroutine_threadsafe(count(), self._loop).result(BOUND)
        except TimeoutError:
            return -1  # the loop does not answer


reporter = Reporter()


def _is_selector(fd: Path) -> bool:
    """Return True for an epoll descriptor.

    Werkzeug leaves one to the garbage collector when a client resets the connection while it looks for more of the
    request's body (run_wsgi, Werkzeug 3.1).
    """
    with suppress(FileNotFoundError):  # that of the folder itself is closed by now
        return os.readlink(fd) == "anon_inode:[eventpoll]"
    return False
