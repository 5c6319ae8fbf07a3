"""An engine that others could write, against the public protocol: its notices are doorbells, and it carries no runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import stream_adapter as sa
from stream_adapter.engines import KEY_SECONDS, BaseEngine, Entry, Frame, History, Page, Position, new_epoch
from stream_adapter.testing import EngineConformance, ManualClock


@dataclass
class Log:
    epoch: str = field(default_factory=new_epoch)
    entries: list[Entry] = field(default_factory=list[Entry])
    top: int = 0
    age: float = 300.0
    keys: dict[str, tuple[float, Position]] = field(default_factory=dict[str, tuple[float, Position]])


class DoorbellEngine(BaseEngine):
    blocks = True

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._guard = threading.Lock()
        self._logs: dict[str, Log] = {}
        self._watched: set[str] = set()

    def _log(self, channel: str) -> Log:
        log = self._logs.setdefault(channel, Log())
        log.entries = [entry for entry in log.entries if entry.time > self._clock() - log.age]
        return log

    def append_many(
        self,
        channel: str,
        frames: Sequence[Frame],
        *,
        history: History,
        token: int | None = None,
        timeout: float | None = None,
    ) -> list[Position]:
        self.check_process()
        with self._guard:
            log = self._log(channel)
            log.age = history.age
            positions = [self._append(log, frame) for frame in frames]
            del log.entries[: -history.count]
            while sum(len(entry.payload) for entry in log.entries) > history.bytes and len(log.entries) > 1:
                del log.entries[0]
        if channel in self._watched:
            self.receiver.changed(channel)
        return positions

    def _append(self, log: Log, frame: Frame) -> Position:
        now = self._clock()
        if frame.key is not None:
            seen = log.keys.get(frame.key)
            if seen is not None and seen[0] > now - KEY_SECONDS:
                return seen[1]
        log.top += 1
        log.entries.append(Entry(log.top, now, frame.payload))
        position = Position(log.epoch, log.top)
        if frame.key is not None:
            log.keys[frame.key] = now, position
        return position

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        self.check_process()
        with self._guard:
            log = self._log(channel)
            entries = log.entries
            if since is None:
                chosen = entries[-limit:] if limit else []
            else:
                chosen = [entry for entry in entries if entry.offset > since][:limit]
            earliest = entries[0].offset if entries else log.top + 1
            return Page(log.epoch, log.top, earliest, tuple(chosen))

    def watch(self, channel: str) -> None:
        self._watched.add(channel)

    def unwatch(self, channel: str) -> None:
        self._watched.discard(channel)


class TestDoorbellEngine(EngineConformance):
    carries_runs = False

    def make_engine(self, clock: ManualClock) -> DoorbellEngine:
        return DoorbellEngine(clock)


def test_custom_engine_delivers_published_events() -> None:
    with sa.Broker(DoorbellEngine()) as live:
        events = iter(live.subscribe("a", since=live.last_event_id("a")))
        for n in range(5):
            live.publish("a", n)
            assert next(events).data == n
