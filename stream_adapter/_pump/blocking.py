"""Finds async sources that block their event loop, with `time.sleep` or a sync client, and logs each once.

A supervisor thread looks at the loops of live async sources, ten times per second. A loop that has not answered since
the last look is blocked; the stack of its thread shows where, and whether within a source. Nothing is measured in the
loop itself, so that a source that does not block costs two entries in a dictionary.
"""

from __future__ import annotations

import asyncio
import linecache
import os
import sys
import time
from types import FrameType
from typing import Protocol

from .supervisor import Supervisor

__all__ = ["Stepping", "set_warn_blocking", "unwatch", "watch"]

_INTERVAL = 0.1  # seconds between looks: a loop that is blocked for less is not noticed
_SIGHTINGS = 3  # looks that must find the same source, so that a busy machine does not look like a blocking source
_MEMORY = 10.0  # seconds within which they must find it
_IDLE_LOOKS = 50  # looks without a source, after which the thread ends
_MOST_NAMED = 1000  # sources that are logged
_OWN = "stream_adapter."


class Stepping(Protocol):
    """A producer of an async source, as the watcher sees it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def thread_id(self) -> int: ...
    @property
    def frame(self) -> FrameType | None: ...
    def block(self, where: str | None) -> None:
        """Handle a source that blocks; `where` is to be logged, and None after the first time."""
        ...


class _Loop:
    """The state of one loop. `asked` is set by the watcher, and cleared by the loop."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False

    def answer(self) -> None:
        self.asked = False


class _Watcher:
    """Finds the sources that block. Its state belongs to the supervisor's thread."""

    def __init__(self) -> None:
        self.is_on = True
        self.supervisor: Supervisor[Stepping] = Supervisor(
            "stream_adapter.blocking", self._look, interval=_INTERVAL, idle_looks=_IDLE_LOOKS
        )
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}
        self._sightings: dict[str, list[float]] = {}
        self._named: set[str] = set()

    def watch(self, producer: Stepping) -> None:
        if self.is_on:
            self.supervisor.add(producer)

    def unwatch(self, producer: Stepping) -> None:
        self.supervisor.discard(producer)

    def _look(self, stepping: list[Stepping]) -> None:
        """Look at each loop that has sources."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Stepping]] = {}
        for producer in stepping:
            by_loop.setdefault(producer.loop, []).append(producer)
        self._loops = {loop: self._loops.get(loop) or _Loop() for loop in by_loop}
        for loop, producers in by_loop.items():
            state = self._loops[loop]
            if state.asked:
                self._find(producers)
                continue
            state.asked = True
            try:
                loop.call_soon_threadsafe(state.answer)
            except RuntimeError:  # it is closed
                state.asked = False

    def _find(self, producers: list[Stepping]) -> None:
        """Find the source that blocks the thread of a loop."""
        tasks = {id(frame): producer for producer in producers if (frame := producer.frame) is not None}
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it is documented
        frame = frames.get(producers[0].thread_id)
        del frames  # of all threads, with what their locals hold
        step: FrameType | None = None
        while frame is not None:
            producer = tasks.get(id(frame))
            if producer is not None:
                if step is not None:
                    self._see(producer, step)
                return
            if not frame.f_globals.get("__name__", "").startswith(_OWN):
                step = frame
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
watch, unwatch = _watcher.watch, _watcher.unwatch


def set_warn_blocking(*, is_on: bool) -> None:
    """Turn the warnings on or off, for sources that start from now on."""
    _watcher.is_on = is_on
