"""A source's own deadline that passes while it is held at a `yield` is thrown in there, and its farewell is sent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

import stream_adapter as sa
from stream_adapter.types import Message
from tests.support.gate import BOUND
from tests.support.interfaces import Watcher, asgi_channel, call_wsgi

BLOCK = "x" * 20_000
FAREWELL = "(time is up)"
SOON = 0.01  # seconds: the deadline passes while the client takes nothing

Source = Callable[[threading.Event], AsyncIterator[str]]


def farewell(passed: threading.Event) -> str:
    passed.set()  # the client goes on
    return FAREWELL


async def asyncio_timeout(passed: threading.Event) -> AsyncIterator[str]:
    try:
        async with asyncio.timeout(SOON):
            while True:
                yield BLOCK
    except TimeoutError:
        yield farewell(passed)


async def move_on_after(passed: threading.Event) -> AsyncIterator[str]:
    with anyio.move_on_after(SOON):
        while True:
            yield BLOCK
    yield farewell(passed)


async def fail_after(passed: threading.Event) -> AsyncIterator[str]:
    try:
        with anyio.fail_after(SOON):
            while True:
                yield BLOCK
    except TimeoutError:
        yield farewell(passed)


async def task_group(passed: threading.Event) -> AsyncIterator[str]:
    async def fail() -> None:
        await asyncio.sleep(SOON)
        raise LookupError("a child's")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            while True:
                yield BLOCK
    except* LookupError:
        pass
    yield farewell(passed)


async def twice(passed: threading.Event) -> AsyncIterator[str]:
    """Both deadlines pass while the source is held: the second in what the first made it yield."""
    try:
        async with asyncio.timeout(SOON):
            while True:
                yield BLOCK
    except TimeoutError:
        try:
            async with asyncio.timeout(SOON):
                while True:
                    yield BLOCK
        except TimeoutError:
            yield farewell(passed)


SOURCES: dict[str, Source] = {
    made.__name__: made for made in (asyncio_timeout, move_on_after, fail_after, task_group, twice)
}
each_source = pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)


def call_stalled_asgi(make: Source, **options: Any) -> tuple[bytes, bool]:
    """Take nothing after the first block until the source's deadline has passed; return the body, and if it ended."""
    passed, blocks = threading.Event(), list[Message]()

    async def call() -> None:
        receive, _, _ = asgi_channel()

        async def send(message: Message) -> None:
            blocks.append(message)
            if len(blocks) == 2:
                await asyncio.to_thread(passed.wait, BOUND)

        response = sa.Response(make(passed), **options)
        await asyncio.wait_for(response.asgi({"type": "http", "method": "GET", "headers": []}, receive, send), BOUND)

    asyncio.run(call())
    return b"".join(message["body"] for message in blocks[1:]), not blocks[-1]["more_body"]


def call_stalled_wsgi(make: Source, **options: Any) -> tuple[bytes, bool]:
    passed = threading.Event()

    class Stalled(Watcher):
        def on_block(self, block: bytes) -> None:
            passed.wait(BOUND)

    answer = call_wsgi(sa.Response(make(passed), **options), watcher=Stalled())
    return answer.body, answer.complete


@each_source
@pytest.mark.parametrize("call", [call_stalled_asgi, call_stalled_wsgi])
def test_own_deadline_of_a_held_source_is_thrown_in_and_farewell_sent(
    call: Callable[..., tuple[bytes, bool]], make: Source
) -> None:
    summaries: list[sa.StreamSummary] = []
    body, complete = call(make, on_close=summaries.append)
    assert body.endswith(FAREWELL.encode())
    assert complete
    assert [(summary.reason, summary.error) for summary in summaries] == [("done", None)]


def test_own_cancellation_of_an_iterator_that_cannot_be_thrown_into_arrives_at_its_next_wait() -> None:
    class Rows(AsyncIterator[str]):
        """An iterator by class, with a deadline for all of it."""

        def __init__(self, passed: threading.Event) -> None:
            self._passed = passed
            self._deadline: asyncio.Timeout | None = None
            self._over = False

        async def __anext__(self) -> str:
            if self._over:
                raise StopAsyncIteration
            if self._deadline is None:
                self._deadline = await asyncio.timeout(SOON).__aenter__()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                self._over = True
                self._passed.set()
                with pytest.raises(TimeoutError):
                    await self._deadline.__aexit__(type(error), error, error.__traceback__)
                return FAREWELL
            return BLOCK

    body, complete = call_stalled_asgi(Rows)
    assert body.endswith(FAREWELL.encode())
    assert complete


@pytest.mark.parametrize("call", [call_stalled_asgi, call_stalled_wsgi])
def test_own_cancellation_that_a_source_does_not_catch_is_its_error(call: Callable[..., tuple[bytes, bool]]) -> None:
    async def source(passed: threading.Event) -> AsyncIterator[str]:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(SOON, task.cancel)
        try:
            while True:
                yield BLOCK
        finally:
            passed.set()

    summaries: list[sa.StreamSummary] = []
    with contextlib.suppress(RuntimeError):  # under WSGI the driver has caught it
        _, complete = call(source, on_close=summaries.append)
        assert not complete
    (summary,) = summaries
    assert summary.reason == "error"
    assert summary.error is not None
    assert isinstance(summary.error.__cause__, asyncio.CancelledError)


def test_stop_of_a_held_source_closes_it_and_passes_for_no_deadline() -> None:
    summaries: list[sa.StreamSummary] = []

    async def endless(passed: threading.Event) -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(BOUND):
                while True:
                    yield BLOCK
        except TimeoutError:
            raise AssertionError("it was stopped, and its deadline has not passed") from None
        finally:
            passed.set()

    async def call() -> None:
        gone = asyncio.Event()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                gone.set()
                await asyncio.get_running_loop().create_future()

        response = sa.Response(endless(threading.Event()), on_close=summaries.append)
        await asyncio.wait_for(response.asgi({"type": "http", "method": "GET", "headers": []}, receive, send), BOUND)

    asyncio.run(call())
    assert [(summary.reason, summary.error) for summary in summaries] == [("disconnect", None)]
