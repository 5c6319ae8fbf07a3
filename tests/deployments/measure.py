"""What is asked of each row, by a client at its face, of an application that tells what became of its sources."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass

from stream_adapter._check.command import check
from stream_adapter._check.timing import timing_of

from .reader import Ending, Reader, Reader1, Reader2
from .running import Deployment

_SOON = 4.0  # seconds within which a stream arrives, on a busy machine
_PATIENCE = 10.0  # seconds within which a failure or a disconnect must be noticed
_KEPT_ALIVE = 75.0  # seconds until keepalives, 15 s apart, notice a disconnect; a proxy may hold some of them
_SHUTDOWN = 15.0


@dataclass(frozen=True)
class Measured:
    """What was seen of one row.

    Attributes:
        events: whether an event arrives before the next is released.
        bytes_: whether bytes of no live format do.
        failure: how a body ended whose source failed after two items.
        departure: seconds until the source of a client that left is closed, while it is silent; None if it is not.
        departure_kept_alive: the same of an event stream with keepalives; None if that was not measured.
        survives: whether an event that comes after the silence arrives.
        finally_: sources closed at SIGTERM, and sources that were open.
        checked: what `python -m stream_adapter check` says of an event stream: whether it streams.
    """

    events: bool
    bytes_: bool
    failure: Ending
    departure: float | None
    departure_kept_alive: float | None
    survives: bool
    finally_: tuple[int, int]
    checked: bool


class Session:
    """The measuring of one row."""

    def __init__(self, deployment: Deployment, stack: ExitStack) -> None:
        self._deployment = deployment
        self._probe = deployment.probe
        self._stack = stack

    def measure(self, silence: float) -> Measured:
        events = self._is_streamed("quiet", "keepalive")
        bytes_ = self._is_streamed("idle", "unlimited")
        failure = self._failure()
        checked = self._check()
        self._probe.comes_to(lambda it: it.opened == it.closed, _PATIENCE)
        self._probe.reset()
        quiet = self._ask("quiet", "sync", "keepalive")
        quiet_since = time.monotonic()
        quiet.wait(lambda: b"first" in quiet.received, _SOON)
        departure = self._departure("idle", "unlimited", _PATIENCE)
        kept_alive = self._departure("quiet", "keepalive", _KEPT_ALIVE) if departure is None else None
        quiet.wait(lambda: False, quiet_since + silence - time.monotonic())
        self._probe.release()
        survives = quiet.wait(lambda: b"last" in quiet.received, _SOON)
        quiet.leave()
        return Measured(events, bytes_, failure, departure, kept_alive, survives, self._shut_down(), checked)

    def _ask(self, name: str, way: str, options: str = "unlimited") -> Reader:
        deployment, path = self._deployment, f"/stream/{name}/{way}/{options}"
        if deployment.row.face.is_tls:
            reader: Reader = Reader2(deployment.port, path, deployment.certificate.client())
        else:
            reader = Reader1(deployment.port, path, gzip=deployment.row.face.wants_gzip)
        self._stack.callback(reader.leave)
        return reader

    def _is_streamed(self, name: str, options: str) -> bool:
        """See whether the first item comes while the source waits to be released for the second."""
        reader = self._ask(name, "sync", options)
        streamed = reader.wait(lambda: b"first" in reader.received, _SOON)
        self._probe.release()
        if not reader.wait(lambda: b"last" in reader.received, _PATIENCE):
            raise AssertionError(f"the body did not come: {reader.received!r}, {reader.ending()}")
        reader.leave()
        self._probe.comes_to(lambda it: it.opened == it.closed, _PATIENCE)
        self._probe.reset()
        return streamed

    def _failure(self) -> Ending:
        reader = self._ask("raising", "sync")
        reader.wait(lambda: reader.ending() != "open", _PATIENCE)
        ending = reader.ending()
        reader.leave()
        return ending

    def _departure(self, name: str, options: str, patience: float) -> float | None:
        opened = self._probe.opened
        reader = self._ask(name, "async", options)
        self._probe.comes_to(lambda it: it.opened > opened, _SOON)
        reader.wait(lambda: b"first" in reader.received, _SOON)
        before, at = self._probe.closed, time.monotonic()
        reader.leave()
        if not self._probe.comes_to(lambda it: it.closed > before, patience):
            return None
        return max(0.0, self._probe.closed_at - at)

    def _check(self) -> bool:
        url = f"{self._deployment.url}/stream/beating/async/keepalive"
        plain, _ = asyncio.run(check(url, {}, seconds=3.0, verify=False))
        return timing_of(plain).verdict == "streams"

    def _shut_down(self) -> tuple[int, int]:
        """Open a few more, tell the server to end, and count."""
        for name, way in [("beating", "sync"), ("quiet", "async"), ("beating", "async")]:
            opened = self._probe.opened
            self._ask(name, way, "keepalive")
            self._probe.comes_to(lambda it, opened=opened: it.opened > opened, _SOON)  # type: ignore[misc]
        before, opened = self._probe.closed, self._probe.opened
        self._deployment.server.send_signal(signal.SIGTERM)
        self._probe.comes_to(lambda it: it.closed == opened, _SHUTDOWN)
        return self._probe.closed - before, opened - before
