"""The table of cases: name → the response that a view returns. Every host serves all of them.

A case is a script, written once; `WAIT` in it stands where its source waits for the test. Two players make a sync and
an async source of it, and count how often they are closed.
"""

from __future__ import annotations

import gc
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import stream_adapter as sa
from stream_adapter.formats import SSE
from tests.support.gate import BOUND, Gate

SECRET = "the text of the exception"  # what no client may read
COOKIES = ["a=1; Path=/", "b=2; Path=/"]
WAIT: Any = object()

set_by_middleware: ContextVar[str] = ContextVar("set_by_middleware", default="unset")
set_by_view: ContextVar[str] = ContextVar("set_by_view", default="unset")
set_by_source: ContextVar[str] = ContextVar("set_by_source", default="unset")

Script = Generator[Any]


@dataclass
class Stream:
    """What a test knows of one stream, by the key that it chose."""

    gate: Gate = field(default_factory=Gate)
    closes: int = 0
    reasons: list[str] = field(default_factory=list[str])
    reported: threading.Event = field(default_factory=threading.Event)

    def report(self, summary: sa.StreamSummary) -> None:
        self.reasons.append(summary.reason)
        self.reported.set()


_streams: defaultdict[str, Stream] = defaultdict(Stream)


class SyncPlayer(Iterator[object]):
    def __init__(self, script: Script, stream: Stream) -> None:
        self._script = script
        self._stream = stream

    def __next__(self) -> object:
        while (item := next(self._script)) is WAIT:
            self._stream.gate.wait()
        return item

    def close(self) -> None:
        self._script.close()
        self._stream.closes += 1


class AsyncPlayer(AsyncIterator[object]):
    def __init__(self, script: Script, stream: Stream) -> None:
        self._script = script
        self._stream = stream

    async def __anext__(self) -> object:
        for item in self._script:
            if item is not WAIT:
                return item
            await self._stream.gate.wait_async()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._script.close()
        self._stream.closes += 1


def gated() -> Script:
    yield b"0"
    yield WAIT
    yield b"1"
    yield WAIT
    yield b"2"


def fails_early() -> Script:
    raise LookupError(SECRET)
    yield b""


def fails_late() -> Script:
    yield b"one,"
    yield b"two,"
    yield WAIT
    raise LookupError(SECRET)


def endless() -> Script:
    yield b"first"
    yield WAIT
    while True:
        yield bytes(65536)


def variables() -> Script:
    yield f"{set_by_middleware.get()},{set_by_view.get()},"
    set_by_source.set("source")
    yield WAIT
    yield set_by_source.get()


def mixed() -> Script:
    yield from (b"bytes ", bytearray(b"bytearray "), memoryview(b"memoryview "), "tëxt ")
    yield from (1, " ", -2.5, " ", Decimal("1.10"), " ", True, {"a": [1, None]}, [1], (2,))
    yield from (date(2026, 1, 2), UUID(int=0), b"", "", " end")


MIXED_BODY = (
    'bytes bytearray memoryview tëxt 1 -2.5 1.10 true{"a":[1,null]}[1][2]'
    '"2026-01-02""00000000-0000-0000-0000-000000000000" end'
).encode()


def items() -> Script:
    yield {"a": 1}
    yield "text"
    yield None


def rows() -> Script:
    yield {"row": 1}
    yield WAIT
    yield {"row": 2}


def text_first() -> Script:
    yield "text"


def text_second() -> Script:
    yield b"bytes"
    yield WAIT
    yield "text"


def events() -> Script:
    yield sa.ServerSentEvent("0", id="0")
    yield WAIT
    yield sa.ServerSentEvent("1", id="1")


def fails_after_events() -> Script:
    yield from ("0", "1")
    yield WAIT
    raise LookupError(SECRET)


@dataclass(frozen=True)
class Case:
    script: Callable[[], Script]
    options: dict[str, Any] = field(default_factory=dict[str, Any])


CASES: dict[str, Case] = {
    "gated": Case(gated),
    "fails_early": Case(fails_early),
    "fails_late": Case(fails_late),
    "endless": Case(endless),
    "variables": Case(variables),
    "mixed": Case(mixed, {"media_type": "text/plain"}),
    "items": Case(items),
    "rows": Case(rows, {"headers": {"Vary": "Cookie"}}),
    "events": Case(events, {"format": SSE(keepalive=0.05, end="done")}),
    "fails_after_events": Case(fails_after_events, {"format": SSE(end="done")}),
    "cookies": Case(gated, {"headers": {"Set-Cookie": COOKIES, "Connection": "keep-alive"}, "status_code": 202}),
    "no_content": Case(endless, {"status_code": 204}),
    "strict_first": Case(text_first, {"strict": True}),
    "strict_second": Case(text_second, {"strict": True}),
}


def make(case: str, way: str, key: str) -> sa.Response:
    """Return what the view of `case` returns: called in the view, so that it is the view's context."""
    set_by_view.set("view")
    stream = _streams[key]
    player = SyncPlayer if way == "sync" else AsyncPlayer
    return sa.Response(player(CASES[case].script(), stream), on_close=stream.report, **CASES[case].options)


def instead_of_stream(how: str) -> str:
    """Return what a view sends in the place of a stream that it has made, or raise; nothing is collected until then."""
    gc.disable()
    if how == "raised":
        raise LookupError(SECRET)
    return "another response"


def control(action: str, key: str) -> str:
    """Do what a test asks for: "open" the gate of a stream, or wait until it is closed and say how it "ended"."""
    stream = _streams[key]
    if action == "open":
        stream.gate.open()
        return "open"
    stream.reported.wait(BOUND)
    gc.enable()
    return f"{stream.closes} {','.join(stream.reasons)}"
