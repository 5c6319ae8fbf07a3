"""What the application under test tells, over a side channel: `apps/reporter.py` is the other end."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.support.gate import BOUND


@dataclass(frozen=True)
class Resources:
    """What a process has at one moment.

    Attributes:
        produced: bytes that its sources have yielded since the last reset.
        tasks: tasks of its loop; -1 if the loop does not answer.
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
        """Wait until a condition on the report holds; the test fails after a time."""
        if not self.comes_to(holds, BOUND):
            raise AssertionError(f"it never came to that: {self}")

    def comes_to(self, holds: Callable[[Probe], object], seconds: float) -> bool:
        """Wait until a condition holds, for so long. Return True if it does."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: holds(self), seconds))

    def wait_all_closed(self, count: int) -> None:
        """Wait until `count` sources have been opened, and closed, and each stream has said why it ended."""
        self.wait(lambda it: it.opened == it.closed == it.reasons.total() == count)

    def measure(self) -> Resources:
        """Ask what the process has now."""
        return Resources(**self._ask("measure"))

    def release(self) -> None:
        """Release the sources that block."""
        self._ask("release")

    def reset(self) -> None:
        """Reset the counts."""
        self._ask("reset")
        with self._changed:
            assert self.opened == self.closed, f"a stream of another test still runs: {self}"
            self.opened = self.waiting = self.closed = 0
            self.reasons.clear()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()
        for connection in list(self._connections):  # whose readers take them from it
            connection.close()

    def __str__(self) -> str:
        return f"{self.opened} opened, {self.closed} closed, {dict(self.reasons)}, {self.processes} processes"

    def _ask(self, command: str) -> dict[str, int]:
        """Ask the process that serves; a server may replace a process after a BaseException."""
        with self._changed:
            self._answers.clear()
            while True:
                if not self._changed.wait_for(lambda: self._connections, BOUND):
                    raise AssertionError("no process is left to ask")
                asked = self._connections[-1]
                with contextlib.suppress(OSError):  # it is going: its end is noted next
                    asked.sendall(command.encode() + b"\n")
                if not self._changed.wait_for(partial(self._is_over, asked), 2 * BOUND):
                    raise AssertionError("the application does not answer")
                if self._answers:
                    return self._answers.pop()

    def _is_over(self, asked: socket.socket) -> bool:
        return bool(self._answers) or asked not in self._connections

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
            self._connections.remove(connection)
            connection.close()
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
