"""Sources and callbacks that fail in odd places, and the log records of that."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import stream_adapter as sa
from tests.support.sources import AsyncCountingSource, CountingSource


class Fatal(BaseException):
    """No Exception, and none of Python's own."""


class BadlyClosed(CountingSource):
    def close(self) -> None:
        super().close()
        raise LookupError("in close")


class BadlyClosedAsync(AsyncCountingSource):
    async def aclose(self) -> None:
        await super().aclose()
        raise LookupError("in close")


def swallowing() -> Iterator[bytes]:
    while True:
        try:
            yield b"one"
        except GeneratorExit:
            yield b"two"
            return


async def swallowing_async() -> AsyncIterator[bytes]:
    while True:
        try:
            yield b"one"
        except GeneratorExit:
            yield b"two"
            return


def yielding_at_last() -> Iterator[bytes]:
    try:
        while True:
            yield b"one"
    finally:
        yield b"last"


async def yielding_at_last_async() -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"one"
    finally:
        yield b"last"


def on_close_fails(_: sa.StreamSummary) -> None:
    raise LookupError("in on_close")


async def async_on_close_fails(_: sa.StreamSummary) -> None:
    raise LookupError("in on_close")


def on_error_fails(_: BaseException) -> bytes:
    raise LookupError("in on_error")


def counting(way: str, *items: object) -> CountingSource | AsyncCountingSource:
    return CountingSource(items) if way == "sync" else AsyncCountingSource(items)


RECORD = re.compile(r"GET / \(.+\): (?P<happened>.+) \(\d+ items?, \d+ bytes?\); .+")


def happened(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what our records say, each in the one form; asyncio writes records of its own on some of this."""
    lines = [record.getMessage() for record in caplog.records if record.name == "stream_adapter"]
    matches = [RECORD.fullmatch(line) for line in lines]
    assert all(matches), lines
    return [match["happened"] for match in matches if match]


BADLY_CLOSED: dict[str, Callable[[], Any]] = {
    "close": lambda: BadlyClosed([b"one", b"two"]),
    "aclose": lambda: BadlyClosedAsync([b"one", b"two"]),
    "swallowed": swallowing,
    "swallowed, async": swallowing_async,
    "yield in finally": yielding_at_last,
    "yield in finally, async": yielding_at_last_async,
}

each_badly_closed = pytest.mark.parametrize("make", BADLY_CLOSED.values(), ids=BADLY_CLOSED)
