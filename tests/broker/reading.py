"""A response of a broker's events, read as its client reads it, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson

import stream_adapter as sa
from stream_adapter.integration import AsyncBody, Hooks, RequestHead

BOUND = 60.0  # seconds that anything may take on a busy machine


class Headers:
    def __init__(self, **fields: str) -> None:
        self._fields = {name.replace("_", "-"): value for name, value in fields.items()}

    def get(self, name: str, /) -> str | None:
        return self._fields.get(name)


def request(query: str = "", **fields: str) -> RequestHead:
    """Return a request's head: `request(last_event_id="…")`."""
    return RequestHead("GET", Headers(**fields), query)


class Reader:
    """The client of one response."""

    def __init__(self, body: AsyncBody) -> None:
        self._body = body
        self.received = b""

    @property
    def status(self) -> int:
        return self._body.status

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self._body.headers}

    async def until(self, done: Callable[[bytes], object]) -> bytes:
        """Read until what was received is enough."""
        async with asyncio.timeout(BOUND):
            while not done(self.received):
                block = await self._body.next()
                if block is None:
                    raise EOFError(self.received)
                self.received += block
        return self.received

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Read so many server-sent events: their fields, with their data decoded where it is JSON."""
        await self.until(lambda received: len(events_of(received)) >= count)
        return events_of(self.received)[:count]

    async def lines(self, count: int) -> list[Any]:
        """Read so many lines of NDJSON."""
        await self.until(lambda received: received.count(b"\n") >= count)
        return [orjson.loads(line) for line in self.received.split(b"\n")[:count]]


def events_of(received: bytes) -> list[dict[str, Any]]:
    """Return the events that are whole."""
    events: list[dict[str, Any]] = []
    for frame in received.decode().split("\n\n")[:-1]:
        fields: dict[str, Any] = {}
        for line in frame.split("\n"):
            name, _, value = line.partition(": ")
            if name == "data":
                fields["data"] = f"{fields['data']}\n{value}" if "data" in fields else value
            elif name in {"event", "id"}:
                fields[name] = value
        if fields:
            with suppress(orjson.JSONDecodeError):
                fields["data"] = orjson.loads(fields.get("data", "null"))
            events.append(fields)
    return events


@asynccontextmanager
async def reading(response: sa.Response, head: RequestHead | None = None) -> AsyncGenerator[Reader]:
    """Open a response for a request, and close it in the end."""
    body = AsyncBody(await response.aresolve(head or request()), Hooks())
    try:
        await body.start()
        yield Reader(body)
    finally:
        await body.aclose()


def wait_until(condition: Callable[[], object]) -> None:
    """Return when a condition is met: polled, because it is met in another thread."""
    until = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
