"""Find what a request has left open in this process: suspended generators, and streams."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, FrameType, GeneratorType
from typing import Any, Self, cast
from weakref import WeakSet

from stream_adapter._lifecycle import active_stream_count

__all__ = ["LeakCheck"]

# modules whose generators are the client's
_CLIENT_MODULES = ("httpx", "httpx2", "httpx_sse", "anyio", "stream_adapter.testing", "_pytest")


class LeakCheck:
    """Find generators and streams that were created after it was entered and are not closed.

    While it is entered the garbage collector is off, so that a generator that only the collector would close is found.
    """

    def __enter__(self) -> Self:
        """Remember what exists."""
        self._collects = gc.isenabled()
        gc.disable()
        self._generators: WeakSet[Any] = WeakSet(generator for generator, _ in _suspended())
        self._streams = active_stream_count()
        return self

    def __exit__(self, *_: object) -> None:
        """Turn the garbage collector on again."""
        if self._collects:
            gc.enable()

    def leaks(self) -> list[str]:
        """Return a line for each one that is not closed."""
        leaks = [
            f'{generator.__qualname__} is not closed. It is suspended here: File "{frame.f_code.co_filename}", '
            f"line {frame.f_lineno}"
            for generator, frame in _suspended()
            if generator not in self._generators
        ]
        streams = active_stream_count() - self._streams
        if streams > 0:
            noun = "stream" if streams == 1 else "streams"
            leaks.append(f"{streams} {noun} of stream_adapter not closed (active_stream_count)")
        return leaks


def _suspended() -> Iterator[tuple[Any, FrameType]]:
    """Yield the suspended generators and their frames: not those that have not begun, have ended, or run."""
    for found in gc.get_objects():
        kind = cast("object", type(found))  # isinstance would ask the object, and wake a lazy one
        frame: FrameType | None
        if kind is GeneratorType:
            frame = found.gi_frame if found.gi_suspended else None
        elif kind is AsyncGeneratorType:
            frame = None if found.ag_running else found.ag_frame
        else:
            continue
        if frame is not None and not frame.f_globals.get("__name__", "").startswith(_CLIENT_MODULES):
            yield found, frame
