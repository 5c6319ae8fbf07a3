"""What a request has left behind in this process: generators that stand in the middle, and streams not closed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, FrameType, GeneratorType
from typing import Any, Self, cast
from weakref import WeakSet

from stream_adapter._lifecycle import active_streams

__all__ = ["LeakCheck"]

# whose generators are the client's
_OURS = ("httpx", "httpx2", "httpx_sse", "anyio", "stream_adapter.testing", "_pytest")


class LeakCheck:
    """The suspended generators and live streams of the process, counted when it is entered.

    Until it is left the garbage collector is off: what it alone would close is to be found.
    """

    def __enter__(self) -> Self:
        """Count."""
        self._collects = gc.isenabled()
        gc.disable()
        self._generators: WeakSet[Any] = WeakSet(generator for generator, _ in _suspended())
        self._streams = active_streams()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the garbage collector do its work again."""
        if self._collects:
            gc.enable()

    def left(self) -> list[str]:
        """Say what is there that was not, one line each."""
        left = [
            f'{generator.__qualname__} is not closed. It stands here: File "{frame.f_code.co_filename}", '
            f"line {frame.f_lineno}"
            for generator, frame in _suspended()
            if generator not in self._generators
        ]
        streams = active_streams() - self._streams
        if streams > 0:
            left.append(f"{streams} stream{'s'[: streams > 1]} of stream_adapter not closed (active_streams)")
        return left


def _suspended() -> Iterator[tuple[Any, FrameType]]:
    """Yield the generators that stand in the middle, and where: neither begun nor ended ones, nor those that run."""
    for found in gc.get_objects():
        kind = cast("object", type(found))  # isinstance would ask the object, and wake a lazy one
        frame: FrameType | None
        if kind is GeneratorType:
            frame = found.gi_frame if found.gi_suspended else None
        elif kind is AsyncGeneratorType:
            frame = None if found.ag_running else found.ag_frame
        else:
            continue
        if frame is not None and not frame.f_globals.get("__name__", "").startswith(_OURS):
            yield found, frame
