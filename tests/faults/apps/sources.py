"""The sources under test, each in a sync and an async form. They are generators, and tell when they are closed."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import socket
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import stream_adapter as sa
from stream_adapter.errors import CapacityError

from .reporter import reporter

BLOCK = bytes(16384)
ROW = b"a row of twenty-two b\n"
TICK = 0.02  # seconds
BEAT = 0.1  # seconds
PAUSE = 0.6  # seconds, longer than the watcher's interval and shorter than its patience with a half-closed client
SIZE = 4 << 20  # bytes of one chunk, with which a server is busy as long as its client reads

SyncSource = Generator[bytes]
AsyncSource = AsyncGenerator[bytes]


def sync_fast(chunk: bytes) -> SyncSource:
    with reporter.source():
        while True:
            reporter.produced += len(chunk)
            yield chunk


async def async_fast(chunk: bytes) -> AsyncSource:
    """Never await: other tasks run only if the library lets them."""
    with reporter.source():
        while True:
            reporter.produced += len(chunk)
            yield chunk


def sync_ticking() -> SyncSource:
    with reporter.source():
        while True:
            yield b"tick\n"
            time.sleep(TICK)


async def async_ticking() -> AsyncSource:
    with reporter.source():
        while True:
            yield b"tick\n"
            await asyncio.sleep(TICK)


def sync_empty() -> SyncSource:
    with reporter.source():
        yield b"first\n"
        while True:
            yield b""
            time.sleep(TICK)


async def async_empty() -> AsyncSource:
    with reporter.source():
        yield b"first\n"
        while True:
            yield b""
            await asyncio.sleep(TICK)


def sync_pausing() -> SyncSource:
    with reporter.source():
        for count in range(3):
            yield b"%d\n" % count
            time.sleep(PAUSE)


async def async_pausing() -> AsyncSource:
    with reporter.source():
        for count in range(3):
            yield b"%d\n" % count
            await asyncio.sleep(PAUSE)


def sync_sized() -> SyncSource:
    with reporter.source():
        yield bytes(SIZE)


async def async_sized() -> AsyncSource:
    with reporter.source():
        yield bytes(SIZE)


def sync_idle() -> SyncSource:
    with reporter.source():
        yield b"first\n"
        reporter.waiting()
        reporter.released.wait()
        yield b"last\n"


async def async_idle() -> AsyncSource:
    with reporter.source():
        yield b"first\n"
        await asyncio.Event().wait()


def sync_quiet() -> SyncSource:
    """Say one event, and another when released; between them there is room for keepalives."""
    with reporter.source():
        yield b"data: first\n\n"
        reporter.waiting()
        reporter.released.wait()
        yield b"data: last\n\n"


async def async_quiet() -> AsyncSource:
    with reporter.source():
        yield b"data: first\n\n"
        await asyncio.Event().wait()


def sync_beating() -> SyncSource:
    with reporter.source():
        while True:
            yield b"data: beat\n\n"
            time.sleep(BEAT)


async def async_beating() -> AsyncSource:
    with reporter.source():
        while True:
            yield b"data: beat\n\n"
            await asyncio.sleep(BEAT)


async def async_tardy() -> AsyncSource:
    """Have no first item, as a model that thinks."""
    with reporter.source():
        await asyncio.Event().wait()
        yield b"first"


def sync_stubborn() -> SyncSource:
    reporter.opened()
    try:
        while True:
            yield b"first\n"
            time.sleep(TICK)
    finally:
        reporter.released.wait()
        reporter.closed()


async def async_stubborn() -> AsyncSource:
    reporter.opened()
    try:
        while True:
            yield b"first\n"
            await asyncio.sleep(TICK)
    finally:
        await asyncio.to_thread(reporter.released.wait)
        reporter.closed()


def sync_raising() -> SyncSource:
    with reporter.source():
        yield b"one,"
        yield b"two,"
        raise LookupError("a secret")


async def async_raising() -> AsyncSource:
    with reporter.source():
        yield b"one,"
        yield b"two,"
        raise LookupError("a secret")


def sync_refusing_late() -> SyncSource:
    with reporter.source():
        yield b"one,"
        yield b"two,"
        raise CapacityError("a secret")


async def async_refusing_late() -> AsyncSource:
    with reporter.source():
        yield b"one,"
        yield b"two,"
        raise CapacityError("a secret")


def sync_finite() -> SyncSource:
    with reporter.source():
        for _ in range(100):
            yield ROW


async def async_finite() -> AsyncSource:
    with reporter.source():
        for _ in range(100):
            yield ROW
            await asyncio.sleep(0)


LARGE = 8 * 1024 * 1024  # bytes: more than the kernel takes at once


def sync_large() -> SyncSource:
    with reporter.source():
        for _ in range(LARGE // len(BLOCK)):
            yield BLOCK


async def async_large() -> AsyncSource:
    with reporter.source():
        for _ in range(LARGE // len(BLOCK)):
            yield BLOCK


def sync_failing() -> SyncSource:
    with reporter.source():
        raise LookupError("a secret")
        yield b""


async def async_failing() -> AsyncSource:
    with reporter.source():
        raise LookupError("a secret")
        yield b""


def sync_unreachable() -> SyncSource:
    with reporter.source():
        raise ConnectionResetError(errno.ECONNRESET, "a secret")
        yield b""


async def async_unreachable() -> AsyncSource:
    with reporter.source():
        raise ConnectionResetError(errno.ECONNRESET, "a secret")
        yield b""


def sync_badly_closed() -> SyncSource:
    reporter.opened()
    try:
        while True:
            yield b"tick\n"
            time.sleep(TICK)
    finally:
        reporter.closed()
        raise LookupError("a secret")


async def async_badly_closed() -> AsyncSource:
    reporter.opened()
    try:
        while True:
            yield b"tick\n"
            await asyncio.sleep(TICK)
    finally:
        reporter.closed()
        raise LookupError("a secret")


def sync_swallowing() -> SyncSource:
    reporter.opened()
    try:
        while True:
            yield b"tick\n"
            time.sleep(TICK)
    except GeneratorExit:
        reporter.closed()
        yield b"it will not end"


async def async_swallowing() -> AsyncSource:
    reporter.opened()
    try:
        while True:
            yield b"tick\n"
            await asyncio.sleep(TICK)
    except (GeneratorExit, asyncio.CancelledError):
        reporter.closed()
        yield b"it will not end"


def sync_cancelled() -> SyncSource:
    with reporter.source():
        yield b"tick\n"
        raise asyncio.CancelledError


async def async_cancelled() -> AsyncSource:
    with reporter.source():
        yield b"tick\n"
        raise asyncio.CancelledError


class Fatal(BaseException):
    """No Exception, and none of Python's own."""


def sync_fatal() -> SyncSource:
    with reporter.source():
        yield b"tick\n"
        raise Fatal("a secret")


async def async_fatal() -> AsyncSource:
    with reporter.source():
        yield b"tick\n"
        raise Fatal("a secret")


SOURCES: dict[str, dict[str, Callable[[], object]]] = {
    "fast": {"sync": lambda: sync_fast(BLOCK), "async": lambda: async_fast(BLOCK)},
    "rows": {"sync": lambda: sync_fast(ROW), "async": lambda: async_fast(ROW)},
    "ticking": {"sync": sync_ticking, "async": async_ticking},
    "empty": {"sync": sync_empty, "async": async_empty},
    "pausing": {"sync": sync_pausing, "async": async_pausing},
    "sized": {"sync": sync_sized, "async": async_sized},
    "idle": {"sync": sync_idle, "async": async_idle},
    "quiet": {"sync": sync_quiet, "async": async_quiet},
    "beating": {"sync": sync_beating, "async": async_beating},
    "tardy": {"async": async_tardy},
    "stubborn": {"sync": sync_stubborn, "async": async_stubborn},
    "raising": {"sync": sync_raising, "async": async_raising},
    "refusing_late": {"sync": sync_refusing_late, "async": async_refusing_late},
    "large": {"sync": sync_large, "async": async_large},
    "finite": {"sync": sync_finite, "async": async_finite},
    "failing": {"sync": sync_failing, "async": async_failing},
    "unreachable": {"sync": sync_unreachable, "async": async_unreachable},
    "badly_closed": {"sync": sync_badly_closed, "async": async_badly_closed},
    "swallowing": {"sync": sync_swallowing, "async": async_swallowing},
    "cancelled": {"sync": sync_cancelled, "async": async_cancelled},
    "fatal": {"sync": sync_fatal, "async": async_fatal},
}

OPTIONS: dict[str, dict[str, Any]] = {
    "unlimited": {},
    "idle_timeout": {"limits": sa.Limits(idle_timeout=0.2, close_timeout=0.2)},
    "total_timeout": {"limits": sa.Limits(total_timeout=0.5)},
    "total_timeout_1": {"limits": sa.Limits(total_timeout=1.0, send_timeout=None)},
    "send_timeout": {"limits": sa.Limits(send_timeout=0.2)},
    "send_timeout_1": {"limits": sa.Limits(send_timeout=1.0)},
    "close_timeout": {"limits": sa.Limits(close_timeout=0.2, idle_timeout=60)},  # for which a sync source has a thread
    "keepalive": {"media_type": "text/event-stream"},
}

sa.configure(max_threads=int(os.environ.get("FAULTS_MAX_THREADS", "1000")))


_count = itertools.count(1)
_leaked: list[object] = []


def leak(what: str) -> None:
    """Leak what the soak must notice: one KiB per stream, or one descriptor per thousand."""
    if what == "rss":
        _leaked.append(bytes(1024))
    elif what == "fds" and next(_count) % 1000 == 0:
        _leaked.append(socket.socket())


def make(name: str, way: str, options: str = "unlimited") -> sa.Response:
    """Return the response of one stream."""
    leak(os.environ.get("FAULTS_LEAK", ""))
    return sa.Response(SOURCES[name][way](), on_close=reporter.ended, **OPTIONS[options])
