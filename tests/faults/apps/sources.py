"""The sources under test, each in a sync and an async form, as generators: their `finally` is what must run."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import stream_adapter as sa

from .reporter import reporter

BLOCK = bytes(16384)
ROW = b"a row of twenty-two b\n"
TICK = 0.02  # seconds

SyncSource = Generator[bytes]
AsyncSource = AsyncGenerator[bytes]


def sync_fast(chunk: bytes) -> SyncSource:
    reporter.opened()
    try:
        while True:
            reporter.produced += len(chunk)
            yield chunk
    finally:
        reporter.closed()


async def async_fast(chunk: bytes) -> AsyncSource:
    """Never await: nobody else has a turn, unless the library gives it one."""
    reporter.opened()
    try:
        while True:
            reporter.produced += len(chunk)
            yield chunk
    finally:
        reporter.closed()


def sync_ticking() -> SyncSource:
    reporter.opened()
    try:
        while True:
            yield b"tick\n"
            time.sleep(TICK)
    finally:
        reporter.closed()


async def async_ticking() -> AsyncSource:
    reporter.opened()
    try:
        while True:
            yield b"tick\n"
            await asyncio.sleep(TICK)
    finally:
        reporter.closed()


def sync_idle() -> SyncSource:
    reporter.opened()
    try:
        yield b"first\n"
        reporter.released.wait()
        yield b"last\n"
    finally:
        reporter.closed()


async def async_idle() -> AsyncSource:
    reporter.opened()
    try:
        yield b"first\n"
        await asyncio.Event().wait()
    finally:
        reporter.closed()


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
    reporter.opened()
    try:
        yield b"one,"
        yield b"two,"
        raise LookupError("a secret")
    finally:
        reporter.closed()


async def async_raising() -> AsyncSource:
    reporter.opened()
    try:
        yield b"one,"
        yield b"two,"
        raise LookupError("a secret")
    finally:
        reporter.closed()


def sync_finite() -> SyncSource:
    reporter.opened()
    try:
        for _ in range(100):
            yield ROW
    finally:
        reporter.closed()


async def async_finite() -> AsyncSource:
    reporter.opened()
    try:
        for _ in range(100):
            yield ROW
            await asyncio.sleep(0)
    finally:
        reporter.closed()


SOURCES: dict[str, dict[str, Callable[[], object]]] = {
    "fast": {"sync": lambda: sync_fast(BLOCK), "async": lambda: async_fast(BLOCK)},
    "rows": {"sync": lambda: sync_fast(ROW), "async": lambda: async_fast(ROW)},
    "ticking": {"sync": sync_ticking, "async": async_ticking},
    "idle": {"sync": sync_idle, "async": async_idle},
    "stubborn": {"sync": sync_stubborn, "async": async_stubborn},
    "raising": {"sync": sync_raising, "async": async_raising},
    "finite": {"sync": sync_finite, "async": async_finite},
}

OPTIONS: dict[str, dict[str, Any]] = {
    "unlimited": {},
    "idle_timeout": {"limits": sa.Limits(idle_timeout=0.2, close_timeout=0.2)},
    "total_timeout": {"limits": sa.Limits(total_timeout=0.2)},
    "send_timeout": {"limits": sa.Limits(send_timeout=0.2)},
    "close_timeout": {"limits": sa.Limits(close_timeout=0.2)},
    "keepalive": {"media_type": "text/event-stream"},
}

sa.configure(max_threads=int(os.environ.get("FAULTS_MAX_THREADS", "1000")))


def make(name: str, way: str, options: str = "unlimited") -> sa.Response:
    """Return the response of one stream."""
    return sa.Response(SOURCES[name][way](), on_close=reporter.ended, **OPTIONS[options])
