"""The demo as a user starts it: a process, and the address that it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from tests.support.gate import BOUND
from tests.support.servers import ROOT

FRAMEWORKS = ["flask", "django", "fastapi"]
KINDS = ["text", "events", "csv", "download"]
PATHS = [f"/{framework}/{kind}" for framework in FRAMEWORKS for kind in KINDS]


@dataclass
class Demo:
    """The demo, running."""

    url: str
    process: subprocess.Popen[str]

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit code and what was printed after the address."""
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=BOUND)
        return self.process.returncode, output


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stream_adapter", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "integrations")])}


@contextmanager
def running(*arguments: str) -> Generator[Demo]:
    """Start it and wait until it has printed where it is."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        guard = threading.Timer(BOUND, process.kill)  # so that a demo that prints nothing ends the wait for its line
        guard.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            guard.cancel()
            found = re.search(r"http://\S+", line)
            assert found, f"it printed {line + process.stdout.read()!r}"
            yield Demo(found[0], process)
        finally:
            guard.cancel()
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(BOUND)
                except subprocess.TimeoutExpired:
                    process.kill()


def wait_until_open(client: httpx2.Client, holds: Callable[[int], bool]) -> int:
    """Read how many generators are open on the server, as it tells every change, until `holds` of it."""
    count = -1
    with client.stream("GET", "/open") as answer:
        for line in answer.iter_lines():
            if line.startswith(":"):
                break  # a keepalive: nothing has changed for 15 seconds
            if line.startswith("data: ") and holds(count := int(line.removeprefix("data: "))):
                return count
    raise AssertionError(f"the number of open generators stayed {count}")
