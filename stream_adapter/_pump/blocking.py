"""Which async source blocks its event loop, as `time.sleep` or a sync client in it does: it is named once.

One daemon thread looks at the loops of live async sources, ten times a second, and only while there are any. A loop
that has not answered since the last look stands still; the stack of its thread says where, and whether within a source.
Nothing is measured in the loop itself, so a source that does not block pays for two entries in a dictionary.
"""

from __future__ import annotations

import asyncio
import linecache
import os
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Protocol
from weakref import WeakValueDictionary

__all__ = ["Stepping", "set_warn_blocking", "unwatch", "watch"]

_INTERVAL = 0.1  # seconds between looks: a loop that stands still for less is not noticed
_SIGHTINGS = 3  # looks that must find the same source, so that a busy machine is not taken for a blocking source
_MEMORY = 10.0  # seconds within which they must
_IDLE_LOOKS = 50  # looks without a source, after which the thread ends
_MOST_NAMED = 1000  # sources that are remembered as named
_OWN = "stream_adapter."


class Stepping(Protocol):
    """A producer of an async source, to the watcher."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def thread_id(self) -> int: ...
    @property
    def frame(self) -> FrameType | None: ...
    def block(self, where: str | None) -> None:
        """Take notice that the source blocks; `where` is to be logged, and None the next times."""
        ...


class _Loop:
    """What is known of one loop. `asked` is set by the watcher, and cleared by the loop."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False

    def answer(self) -> None:
        self.asked = False


class _Watcher:
    def __init__(self) -> None:
        self.is_on = True
        self.reset()

    def reset(self) -> None:
        """Forget all; in a forked child, the parent's sources and thread are the parent's."""
        self._stepping: WeakValueDictionary[int, Stepping] = WeakValueDictionary()
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}
        self._sightings: dict[str, list[float]] = {}
        self._named: set[str] = set()
        self._lock = threading.Lock()
        self._runs = False

    def watch(self, producer: Stepping) -> None:
        if not self.is_on:
            return
        self._stepping[id(producer)] = producer
        if self._runs:
            return
        with self._lock:
            if self._runs:
                return
            self._runs = True
        try:
            threading.Thread(target=self._watch, name="stream_adapter.blocking", daemon=True).start()
        except RuntimeError:  # the process has no more threads, or is about to end
            self._runs = False

    def unwatch(self, producer: Stepping) -> None:
        self._stepping.pop(id(producer), None)

    def _watch(self) -> None:
        idle_looks = 0
        while idle_looks < _IDLE_LOOKS or not self._is_over():
            time.sleep(_INTERVAL)
            idle_looks = 0 if self._look() else idle_looks + 1

    def _is_over(self) -> bool:
        with self._lock:
            self._runs = bool(self._stepping)
        return not self._runs

    def _look(self) -> bool:
        """Look at each loop that has sources; return whether there was any."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Stepping]] = {}
        for reference in self._stepping.valuerefs():
            producer = reference()
            if producer is not None:
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
        return bool(by_loop)

    def _find(self, producers: list[Stepping]) -> None:
        """Find the source within which the thread of a loop stands."""
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
    return f"{Path(code.co_filename).name}:{line} in {code.co_qualname}" + (f", `{text}`" if text else "")


_watcher = _Watcher()
os.register_at_fork(after_in_child=_watcher.reset)
watch, unwatch = _watcher.watch, _watcher.unwatch


def set_warn_blocking(*, is_on: bool) -> None:
    """Turn the warnings on or off, for sources that begin from now on."""
    _watcher.is_on = is_on
