"""What is streamed: the same generators for all contenders, chosen by the request's path.

/sync/50000  /async/50000    so many rows of text, as fast as they are asked for
/sync/1  /async/1  /whole    a stream of one chunk, and a body without a stream
/items-sync/50000 (-async)   so many mappings of three keys
/paced-sync/500 (-async)     a row every 2 ms; each says when it was yielded
/large-sync/1024 (-async)    so many MiB of bytes
/idle/1                      one row, and then silence
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

__all__ = ["BLOCK", "PACE_SECONDS", "ROW", "source_for", "stamp"]

ROW = "a row of twenty-two: \n"
BLOCK = 65536
PACE_SECONDS = 0.002
_CHUNK = b"x" * 16384


def source_for(path: str) -> Any:
    """Make what the last two segments of `path` name."""
    kind, _, count = path.strip("/").rpartition("/")
    if not kind:
        return ROW
    return _SOURCES[kind.rpartition("/")[2]](int(count))


def stamp() -> str:
    """Return the present moment, in nanoseconds of a clock that all processes share, as a row."""
    return f"{time.monotonic_ns():021d}\n"


def _sync(count: int) -> Iterator[str]:
    for _ in range(count):
        yield ROW


async def _async(count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield ROW


def _items_sync(count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        yield {"id": number, "name": "a name", "ok": True}


async def _items_async(count: int) -> AsyncIterator[dict[str, object]]:
    for number in range(count):
        yield {"id": number, "name": "a name", "ok": True}


def _paced_sync(count: int) -> Iterator[str]:
    for _ in range(count):
        time.sleep(PACE_SECONDS)
        yield stamp()


async def _paced_async(count: int) -> AsyncIterator[str]:
    for _ in range(count):
        await asyncio.sleep(PACE_SECONDS)
        yield stamp()


def _large_sync(mebibytes: int) -> Iterator[bytes]:
    for _ in range(mebibytes * 64):
        yield _CHUNK


async def _large_async(mebibytes: int) -> AsyncIterator[bytes]:
    for _ in range(mebibytes * 64):
        yield _CHUNK


async def _idle(count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield ROW
    await asyncio.Event().wait()


_SOURCES = {
    "sync": _sync,
    "async": _async,
    "items-sync": _items_sync,
    "items-async": _items_async,
    "paced-sync": _paced_sync,
    "paced-async": _paced_async,
    "large-sync": _large_sync,
    "large-async": _large_async,
    "idle": _idle,
}
