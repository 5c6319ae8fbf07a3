"""The engine inside one process: a dict of channels under one lock. No entry leaves the process."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from stream_adapter.errors import FencedError

from ._base import BaseEngine
from ._urls import shown_url
from ._values import KEY_SECONDS, Entry, Frames, History, Page, Position, RunState, RunStatus, new_epoch

__all__ = ["MemoryEngine"]

_SWEEP = 60.0  # seconds between two looks at idle channels
_KEPT = 86400.0  # seconds that the epoch and offset of an idle channel are kept, and at least ten times its age
_WORKERS = {"celery": "worker", "rq": "worker", "dramatiq": "", "huey_consumer": "", "manage.py": "shell"}
_REMEDY = "listeners of other processes receive nothing; use redis:// or sqlite:/// where several processes serve"


class _Channel:
    """One channel's entries; touched under the engine's lock."""

    __slots__ = ("age", "bytes", "entries", "epoch", "is_of_runs", "keys", "retain", "run", "top", "used")

    def __init__(self, now: float) -> None:
        self.epoch = new_epoch()
        self.top = 0
        self.entries: deque[Entry] = deque()
        self.bytes = 0
        self.keys: OrderedDict[str, tuple[float, Position]] = OrderedDict()  # the oldest first
        self.age = History().age
        self.run: RunState | None = None
        self.is_of_runs = False  # nothing of it is kept after a run: the next one has an epoch of its own in any case
        self.retain = 0.0
        self.used = now

    def begin(self, epoch: str) -> None:
        """Begin an epoch without entries."""
        self.epoch, self.top, self.bytes = epoch, 0, 0
        self.entries.clear()
        self.keys.clear()

    def append(self, frames: Frames, now: float, *, is_run: bool) -> tuple[list[Position], list[Entry]]:
        """Return the position of each frame, and the entries that they became: those that were there did not."""
        positions: list[Position] = []
        entries: list[Entry] = []
        for frame in frames:
            payload, key = frame
            position = None if key is None else self._found(key, frame.planned if is_run else None)
            if position is None:
                self.top += 1
                entry = Entry(self.top, now, payload)
                position = Position(self.epoch, self.top)
                self.entries.append(entry)
                self.bytes += len(payload)
                entries.append(entry)
                if key is not None and not is_run:
                    self.keys[key] = now, position
            positions.append(position)
        return positions, entries

    def _found(self, key: str, planned: int | None) -> Position | None:
        """Return the position of a frame that is there: at the place planned for it, or with the same key."""
        if planned is not None:
            return Position(self.epoch, planned) if planned <= self.top else None
        return self.keys[key][1] if key in self.keys else None

    def trim(self, history: History) -> None:
        """Drop what is more than the history's count and bytes."""
        self.age = history.age
        while len(self.entries) > history.count or (self.bytes > history.bytes and len(self.entries) > 1):
            self._drop()

    def expire(self, now: float) -> None:
        """Drop entries and keys past their age, and a run that ended and is past its own, or was lost long ago."""
        if self.run is not None:
            if self.run.expires <= (now if self.run.status != "running" else now - _KEPT):
                self.run = None
                self.begin(new_epoch())
            return
        while self.entries and self.entries[0].time <= now - self.age:
            self._drop()
        while self.keys and next(iter(self.keys.values()))[0] <= now - KEY_SECONDS:
            self.keys.popitem(last=False)

    def _drop(self) -> None:
        self.bytes -= len(self.entries.popleft().payload)

    def page(self, since: int | None, limit: int) -> Page:
        """Return up to `limit` entries after `since`, or the newest ones."""
        entries = self.entries
        earliest = entries[0].offset if entries else self.top + 1
        first = len(entries) - limit if since is None else since + 1 - earliest
        first = max(first, 0)
        chosen = tuple(entries[at] for at in range(first, min(first + limit, len(entries))))
        return Page(self.epoch, self.top, earliest, chosen)


class MemoryEngine(BaseEngine):
    """Channels in the memory of this process; they are lost when it ends.

    Who owns what: `_guard` guards everything. The receiver is called under it, so that it sees entries in their order,
    and calls no method of the engine from there.

    Args:
        clock: seconds since 1970.
    """

    blocks: bool = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._warned = False
        self._reset()

    def _reset(self) -> None:
        self._guard = threading.RLock()  # reentrant: a signal handler may publish
        self._channels: dict[str, _Channel] = {}
        self._watched: set[str] = set()
        self._swept = self._clock()
        self._served = False

    def after_fork(self) -> None:
        """Begin empty: what the parent appends from now on is not seen here."""
        self._reset()
        self._warn("memory:// is used after a fork")

    def _warn(self, problem: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(f"{problem}: {_REMEDY}", RuntimeWarning, stacklevel=2)

    def _channel(self, channel: str) -> tuple[_Channel, float]:
        now = self._clock()
        if now - self._swept >= _SWEEP:
            self._sweep(now)
        found = self._channels.get(channel)
        if found is None:
            found = self._channels[channel] = _Channel(now)
        found.used = now
        found.expire(now)
        return found, now

    def _sweep(self, now: float) -> None:
        """Forget idle channels, and those of runs that are over: a name that a user makes up must not stay."""
        self._swept = now
        for name, channel in list(self._channels.items()):
            channel.expire(now)
            kept = 0.0 if channel.is_of_runs else max(_KEPT, 10 * channel.age)
            if channel.used < now - kept and channel.run is None and name not in self._watched:
                del self._channels[name]

    def append_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames."""
        del timeout
        self.check_process()
        if not self._served and _is_worker():
            self._warn("memory:// is published to in a process that serves no listeners")
        with self._guard:
            found, now = self._channel(channel)
            if token is not None:
                _check_token(found.run, token)
            positions, entries = found.append(frames, now, is_run=token is not None)
            if token is None:
                found.trim(history)
            self._report(channel, found.epoch, entries)
            return positions

    def _report(self, channel: str, epoch: str, entries: list[Entry]) -> None:
        if entries and channel in self._watched:
            self.receiver.received(channel, epoch, entries)

    def read(self, channel: str, since: int | None, limit: int) -> Page:
        """Read entries."""
        self.check_process()
        with self._guard:
            return self._channel(channel)[0].page(since, limit)

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel."""
        self.check_process()
        with self._guard:
            found = {name: self._channel(name)[0] for name in channels}
            return {name: Position(channel.epoch, channel.top) for name, channel in found.items()}

    def watch(self, channel: str) -> None:
        """Report what is appended to a channel from now on."""
        self.check_process()
        with self._guard:
            self._served = True
            self._watched.add(channel)

    def unwatch(self, channel: str) -> None:
        """Stop reporting a channel."""
        with self._guard:
            self._watched.discard(channel)

    def claim(self, channel: str, *, lease: float, retain: float, restart: bool = False) -> RunState:
        """Begin a run on a channel."""
        self.check_process()
        with self._guard:
            found, now = self._channel(channel)
            before = found.run
            if before is not None and (before.status == "running" or not restart):
                return before
            found.begin(new_epoch())
            found.is_of_runs = True
            found.retain = retain
            token = max(1 if before is None else before.token + 1, time.time_ns())
            found.run = RunState(found.epoch, token, "running", now + lease)
            self._notify(channel)
            return replace(found.run, granted=True)

    def renew(self, channel: str, token: int, *, lease: float) -> RunState:
        """Extend a run's lease."""
        self.check_process()
        with self._guard:
            found, now = self._channel(channel)
            found.run = replace(_check_token(found.run, token), expires=now + lease)
            return found.run

    def finish(self, channel: str, token: int, status: RunStatus, frames: Frames = ()) -> RunState:
        """Append the last frames of a run and end it."""
        self.check_process()
        with self._guard:
            found, now = self._channel(channel)
            run = _check_token(found.run, token)
            if status == "lost" and run.expires > now:
                return run
            found.run = replace(run, status=status, expires=now + found.retain)
            _, entries = found.append(frames, now, is_run=True)
            self._report(channel, found.epoch, entries)
            if status == "lost" or not frames:  # else it is the producer that ends it, and the others have its end
                self._notify(channel)
            return found.run

    def cancel(self, channel: str, epoch: str) -> RunState | None:
        """Ask the producer of a run to end."""
        self.check_process()
        with self._guard:
            if channel not in self._channels:
                return None
            found, _ = self._channel(channel)
            if found.run is not None and found.run.epoch == epoch and found.run.status == "running":
                found.run = replace(found.run, cancelled=True)
                self._notify(channel)
            return found.run

    def run_state(self, channel: str) -> RunState | None:
        """Return the state of the channel's newest run."""
        self.check_process()
        with self._guard:
            return self._channel(channel)[0].run if channel in self._channels else None

    def _notify(self, channel: str) -> None:
        if channel in self._watched:
            self.receiver.changed(channel)


def _check_token(run: RunState | None, token: int) -> RunState:
    if run is None or run.token != token or run.status != "running":
        raise FencedError("this run has ended, or another one has taken its place")
    return run


def _is_worker() -> bool:
    """Return True in a process that is started to run tasks or a shell, and serves no requests."""
    name, *arguments = [os.path.basename(sys.argv[0] if sys.argv else ""), *sys.argv[1:]]
    command = _WORKERS.get(name)
    return command is not None and (not command or command in arguments)


def engine_from_url(url: str) -> MemoryEngine:
    """Make the engine of `memory://`.

    Raises:
        ValueError: the URL names more than that.
    """
    parts = urlsplit(url)
    if parts.netloc or parts.path or parts.query or parts.fragment:
        raise ValueError(f"url: expected memory://, got {shown_url(url)}")
    return MemoryEngine()
