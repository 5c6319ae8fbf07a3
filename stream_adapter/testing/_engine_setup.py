"""What the suite of engines stands on: a clock, a receiver that keeps what is reported, and an engine for each test."""

# ruff: noqa: S101  # a test suite: it asserts, and the names of its tests are sentences

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from stream_adapter.engines import Engine, Entry, Frame, History, Page, Position, Receiver

__all__ = ["WAIT", "EngineSetup", "ManualClock", "RecordingReceiver", "payloads_of", "raises"]

WAIT = 10.0  # seconds that a report may take on a busy machine


class ManualClock:
    """A clock in seconds since 1970, which the test advances."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class RecordingReceiver(Receiver):
    """Keeps what an engine reports, spliced by offset as a broker does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._news = threading.Condition()
        self._changed: set[str | None] = set()
        self.entries: dict[str, dict[tuple[str, int], Entry]] = {}
        self.arrived: list[tuple[str, int]] = []  # channel and offset, in the order of the reports
        engine.bind(self)

    def received(self, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        """Keep entries."""
        with self._news:
            for entry in entries:
                self.entries.setdefault(channel, {})[epoch, entry.offset] = entry
                self.arrived.append((channel, entry.offset))
            self._news.notify_all()

    def changed(self, channel: str | None = None) -> None:
        """Record that a channel must be read again."""
        with self._news:
            self._changed.add(channel)
            self._news.notify_all()

    def disconnected(self, error: BaseException) -> None:
        """Do nothing."""

    def reconnected(self) -> None:
        """Read every channel again."""
        self.changed(None)

    def wait_for(self, channel: str, offset: int) -> list[bytes]:
        """Wait until an entry was reported, and return the payloads of the channel's newest epoch in their order."""

        def wanted() -> bool:
            return max((at for _, at in self.entries.get(channel, {})), default=0) >= offset

        with self._news:
            while not wanted():
                heard = self._news.wait_for(lambda: self._changed or wanted(), WAIT)
                assert heard, f"{channel}: entry {offset} was not reported within {WAIT:g} s"
                if self._changed:
                    self._changed.clear()
                    self._read(channel)
            return [entry.payload for _, entry in sorted(self.entries[channel].items(), key=lambda item: item[0][1])]

    def wait_for_change(self, channel: str) -> None:
        """Wait until the engine reports a change of a channel."""
        with self._news:
            changed = lambda: not self._changed.isdisjoint({channel, None})  # noqa: E731
            assert self._news.wait_for(changed, WAIT), f"{channel}: no change was reported within {WAIT:g} s"

    def _read(self, channel: str) -> None:
        self._news.release()
        try:
            page = self._engine.read(channel, 0, 1000)
        finally:
            self._news.acquire()
        for entry in page.entries:
            self.entries.setdefault(channel, {})[page.epoch, entry.offset] = entry


def raises(kind: type[BaseException], act: Callable[[], object]) -> None:
    with suppress(kind):
        result = act()
        raise AssertionError(f"expected {kind.__name__}, got {result!r}")


def payloads_of(page: Page) -> list[bytes]:
    return [entry.payload for entry in page.entries]


class EngineSetup:
    """What the tests of an engine share: an engine for each, and its time.

    Attributes:
        carries_runs: see `EngineConformance`.
    """

    carries_runs: bool = True

    def make_engine(self, clock: ManualClock) -> Engine:
        """Make an engine on a store of its own, with `clock` as its time."""
        raise NotImplementedError("EngineConformance: define make_engine(clock)")

    def make_peer(self, engine: Engine, clock: ManualClock) -> Engine | None:
        """Make an engine on the store of `engine`, as in another process; None if the store is not shared."""
        del engine, clock
        return None

    def advance(self, seconds: float) -> None:
        """Let time pass. An engine whose time is another's overrides it."""
        self.clock.advance(seconds)

    def setup_method(self, *_: Any) -> None:
        """Make the engine of a test."""
        self.clock: ManualClock = ManualClock()
        self.engine: Engine = self.make_engine(self.clock)
        self.channel: str = f"conformance:{uuid4().hex[:12]}"
        self._peers: list[Engine] = []

    def teardown_method(self, *_: Any) -> None:
        """Close it."""
        for engine in (*self._peers, self.engine):
            engine.close()

    def peer(self) -> Engine:
        """Return the engine of another process, or this one if the store is not shared."""
        peer = self.make_peer(self.engine, self.clock)
        if peer is None:
            return self.engine
        self._peers.append(peer)
        return peer

    def append(self, *payloads: bytes, channel: str | None = None, history: History | None = None) -> list[Position]:
        """Append payloads in one step."""
        frames = [Frame(payload) for payload in payloads]
        return self.engine.append_many(channel or self.channel, frames, history=history or History())
