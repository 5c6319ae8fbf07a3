"""An async source that blocks its event loop is named once, with the line where it stood and the remedy."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

import stream_adapter as sa
from stream_adapter.types import Message
from tests.support.gate import BOUND
from tests.support.interfaces import asgi_channel, call_asgi, call_wsgi


class Warned(logging.Handler):
    """Says when a warning comes."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.came.set()


@pytest.fixture
def warned() -> Iterator[Warned]:
    handler, logger = Warned(), logging.getLogger("stream_adapter")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_blocking_source_is_named_once_with_its_line_and_the_remedy(warned: Warned) -> None:
    waits: list[bool] = []

    async def blocking_rows() -> AsyncIterator[str]:
        yield "a"
        waits.append(warned.came.wait(BOUND))  # blocks the loop until that is seen
        yield "b"

    for _ in range(2):
        assert call_asgi(sa.Response(blocking_rows())).body == b"ab"
    assert waits == [True, True]
    (line,) = warned.lines
    assert line.startswith("GET / (async generator ")
    assert "blocking_rows): the source blocks the event loop, at test_blocking.py:" in line
    assert "waits.append(warned.came.wait(BOUND))" in line
    assert "1 item, " in line
    assert "asyncio.sleep" in line
    assert "plain generator (def)" in line


def test_source_that_blocks_the_loop_of_a_sync_interface_is_named_too(warned: Warned) -> None:
    async def blocking_background() -> AsyncIterator[str]:
        yield "a"
        warned.came.wait(BOUND)

    assert call_wsgi(sa.Response(blocking_background())).body == b"a"
    (line,) = warned.lines
    assert "blocking_background): the source blocks the event loop, at test_blocking.py:" in line


def test_blocking_source_by_class_is_named_by_its_step(warned: Warned) -> None:
    class BlockingCursor(AsyncIterator[str]):
        def __init__(self) -> None:
            self.steps = 0

        async def __anext__(self) -> str:
            self.steps += 1
            if self.steps > 1:
                raise StopAsyncIteration
            warned.came.wait(BOUND)
            return "a"

    assert call_asgi(sa.Response(BlockingCursor())).body == b"a"
    (line,) = warned.lines
    assert "BlockingCursor.__anext__" in line


def test_items_of_a_source_that_was_seen_to_block_are_sent_one_by_one(warned: Warned) -> None:
    sent: list[Message] = []
    seen: list[int] = []

    async def blocking_steps() -> AsyncIterator[str]:
        yield "a"
        warned.came.wait(BOUND)
        for letter in "bcd":
            yield letter
            seen.append(len(sent))

    async def call() -> None:
        receive, _, _ = asgi_channel()

        async def send(message: Message) -> None:
            sent.append(message)

        await sa.Response(blocking_steps()).asgi({"type": "http", "path": "/"}, receive, send)

    asyncio.run(call())
    assert seen == sorted(set(seen)), "each was sent before the source was asked for the next"


def test_source_that_awaits_is_not_named_however_slow_it_is(warned: Warned) -> None:
    async def patient() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(0.5)
        yield "b"

    assert call_asgi(sa.Response(patient())).body == b"ab"
    assert warned.lines == []


def test_warn_blocking_false_logs_no_blocking_source(warned: Warned) -> None:
    async def blocking_in_silence() -> AsyncIterator[str]:
        yield "a"
        time.sleep(0.6)  # noqa: ASYNC251  # what would be seen is not seen
        yield "b"

    sa.configure(warn_blocking=False)
    try:
        assert call_asgi(sa.Response(blocking_in_silence())).body == b"ab"
    finally:
        sa.configure()
    assert warned.lines == []


def test_warn_blocking_refuses_values_that_are_not_bool() -> None:
    with pytest.raises(TypeError, match="warn_blocking: expected True or False, got str"):
        sa.configure(warn_blocking="no")  # type: ignore[arg-type]  # a mistake
