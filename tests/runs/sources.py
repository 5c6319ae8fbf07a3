"""Sources that tests begin, hold and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import Any

import stream_adapter as sa
from tests.broker.reading import BOUND, events_of, reading
from tests.support.gate import Gate

__all__ = ["Source", "body_of", "eventually", "fields_of", "until"]


class Source:
    """A factory whose generators yield `items`, wait at a gate after those of `before`, and note what happens."""

    def __init__(self, *items: Any, before: int | None = None) -> None:
        self.items = items
        self.before = before
        self.gate = Gate()
        self.calls: list[tuple[Any, ...]] = []
        self.closed = 0

    async def asynchronous(self, *arguments: Any) -> AsyncGenerator[Any]:
        self.calls.append(arguments)
        try:
            for index, item in enumerate(self.items):
                if index == self.before:
                    await self.gate.wait_async()
                yield item
            if self.before == len(self.items):
                await self.gate.wait_async()
        finally:
            self.closed += 1

    def sync(self, *arguments: Any) -> Generator[Any]:
        self.calls.append(arguments)
        try:
            for index, item in enumerate(self.items):
                if index == self.before:
                    self.gate.wait()
                yield item
            if self.before == len(self.items):
                self.gate.wait()
        finally:
            self.closed += 1


async def body_of(response: sa.Response, head: Any = None) -> bytes:
    """Return the whole body that a client is sent."""
    async with reading(response, head) as reader:
        with suppress(EOFError):
            await reader.until(lambda _: False)
        return reader.received


def fields_of(body: bytes) -> list[dict[str, Any]]:
    """Return the events of a body: those that have data."""
    return [event for event in events_of(body) if "data" in event]


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds that another thread brings about."""
    until = time.monotonic() + BOUND
    while not holds():
        assert time.monotonic() < until, holds
        await asyncio.sleep(0.005)


def until(holds: Callable[[], object], otherwise: Callable[[], str] = str) -> None:
    """Wait until something holds that another process brings about; if it does not, `otherwise` says what there is."""
    end = time.monotonic() + BOUND
    while not holds():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.02)  # between two looks
