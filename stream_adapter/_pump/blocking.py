"""Finds async sources that block their event loop, with `time.sleep` or a sync client, and logs each once.

A supervisor thread looks at the loops of live async sources, ten times per second. A loop that has not answered since
the last look is blocked; the stack of its thread shows where, and whether within a source. Nothing is measured in the
loop itself, and nothing is kept for a source but its hold on what is known of its loop.

Who owns what: producers hold the WatchedLoop of their loop, and the supervisor holds it weakly: soon after the last
producer it is gone. `asked` is set by the supervisor's thread, and cleared in the loop.
"""

from __future__ import annotations

import asyncio
import linecache
import os
import sys
import threading
import time
from types import FrameType
from typing import Protocol, cast
from weakref import WeakValueDictionary

from .supervisor import Supervisor

__all__ = ["BLOCKING_REMEDY", "Stepping", "WatchedLoop", "set_warn_blocking", "watch"]

BLOCKING_REMEDY = (
    "every other request of this loop waits; await an async client or asyncio.sleep instead, or write the source as a"
    " plain generator (def), which has a thread of its own"
)
"""What is logged beside the place where a source blocks."""

_INTERVAL = 0.1  # seconds between looks: a loop that is blocked for less is not noticed
_SIGHTINGS = 3  # looks that must find the same source, so that a busy machine does not look like a blocking source
_MEMORY = 10.0  # seconds within which they must find it
_IDLE_LOOKS = 50  # looks without a source, after which the thread ends
_MOST_NAMED = 1000  # sources that are logged
_OWN = "stream_adapter."


class Stepping(Protocol):
    """A producer of an async source, as the watcher sees it.

    Attributes:
        watched: what `watch` has returned to it.
    """

    watched: object | None

    def block(self, where: str | None) -> None:
        """Handle a source that blocks; `where` is to be logged, and None after the first time."""
        ...


class WatchedLoop:
    """One loop in which there are sources."""

    __slots__ = ("__weakref__", "asked", "loop", "thread_id")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.thread_id = 0  # where the loop runs
        self.asked = False

    def answer(self) -> None:
        self.asked = False


class _Watcher:
    """Finds the sources that block. Its state belongs to the supervisor's thread."""

    def __init__(self) -> None:
        self.is_on = True
        self._supervisor: Supervisor[WatchedLoop] = Supervisor(
            "stream_adapter.blocking", self._look, interval=_INTERVAL, idle_looks=_IDLE_LOOKS
        )
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._loops: WeakValueDictionary[asyncio.AbstractEventLoop, WatchedLoop] = WeakValueDictionary()
        self._recent: WatchedLoop | None = None  # until the next look: short streams follow each other
        self._sightings: dict[str, list[float]] = {}
        self._named: set[str] = set()

    def watch(self, loop: asyncio.AbstractEventLoop) -> WatchedLoop | None:
        """Watch the loop that runs here as long as what this returns is held; None if blocking is not to be found."""
        if not self.is_on:
            return None
        watched = self._recent
        if watched is not None and watched.loop is loop:
            return watched
        watched = self._recent = self._loops.get(loop)
        if watched is None:
            watched = self._recent = self._loops[loop] = WatchedLoop(loop)
            self._supervisor.add(watched)
        watched.thread_id = threading.get_ident()
        return watched

    def _look(self, loops: list[WatchedLoop]) -> None:
        self._recent = None
        for watched in loops:
            if watched.asked:
                self._find(watched)
                continue
            watched.asked = True
            try:
                watched.loop.call_soon_threadsafe(watched.answer)
            except RuntimeError:  # it is closed
                watched.asked = False

    def _find(self, watched: WatchedLoop) -> None:
        """Find the source that blocks the thread of a loop."""
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it is documented
        frame = frames.get(watched.thread_id)
        del frames  # of all threads, with what their locals hold
        step: FrameType | None = None
        while frame is not None:
            if not frame.f_globals.get("__name__", "").startswith(_OWN):
                step = frame
            elif getattr(producer := frame.f_locals.get("self"), "watched", None) is watched:
                if step is not None:
                    self._see(cast("Stepping", producer), step)
                return
            frame = frame.f_back

    def _see(self, producer: Stepping, step: FrameType) -> None:
        now, name = time.monotonic(), f"{step.f_code.co_filename}:{step.f_code.co_qualname}"
        times = [at for at in self._sightings.get(name, ()) if now - at < _MEMORY]
        times.append(now)
        self._sightings = {name: times}
        if len(times) < _SIGHTINGS:
            return
        is_new = name not in self._named and len(self._named) < _MOST_NAMED
        self._named.add(name) if is_new else None
        producer.block(_place(step) if is_new else None)


def _place(frame: FrameType) -> str:
    code, line = frame.f_code, frame.f_lineno
    text = linecache.getline(code.co_filename, line, frame.f_globals).strip()
    return f"{code.co_filename.rpartition(os.sep)[2]}:{line} in {code.co_qualname}" + (f", `{text}`" if text else "")


_watcher = _Watcher()
watch = _watcher.watch


def set_warn_blocking(*, is_on: bool) -> None:
    """Turn the warnings on or off, for sources that start from now on."""
    _watcher.is_on = is_on
