"""A client that takes slowly slows its source: what is ready and not taken is bounded, in bytes and in items."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.types import Flush, Message
from tests.support.gate import BOUND
from tests.support.interfaces import SOURCES, Call, Watcher, asgi_channel, four_paths

ITEMS = 2000


class Ahead(Watcher):
    """Sees how far the source was ahead of the client, in items of two bytes, at each block."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._received = 0
        self.most = 0

    def on_block(self, block: bytes) -> None:
        self.most = max(self.most, self._source.steps - self._received)
        self._received += len(block) // 2


@four_paths
@pytest.mark.parametrize("flush", ["auto", "item", "bulk"])
@pytest.mark.parametrize("limits", [sa.Limits(max_items=5), sa.Limits(high_water=10)], ids=["items", "bytes"])
def test_a_source_is_never_further_ahead_than_two_windows(
    limits: sa.Limits, flush: Flush, way: str, call: Call
) -> None:
    source = SOURCES[way]([b"xx"] * ITEMS)
    ahead = Ahead(source)
    answer = call(sa.Response(source, limits=limits, flush=flush), watcher=ahead)
    assert answer.body == b"xx" * ITEMS
    assert ahead.most <= 2 * 5 + 1, "one window is being sent, another is ready, and one item is on its way in"


@pytest.mark.parametrize("way", ["sync", "async"])
def test_source_of_empty_chunks_stays_within_two_windows(way: str) -> None:
    source = SOURCES[way]([b""] * ITEMS)
    ahead = [source.steps - number for number, _ in enumerate(sa.iter_bytes(source, limits=sa.Limits(max_items=5)))]
    assert len(ahead) == ITEMS
    assert max(ahead) <= 2 * 5 + 1


def test_a_list_that_is_sent_in_blocks_lets_other_tasks_run_between_them() -> None:
    async def call() -> int:
        receive, _, _ = asgi_channel()
        turns, done = 0, asyncio.Event()

        async def send(message: Message) -> None:
            """Never wait, as a server does not whose client reads fast."""

        async def other_request() -> int:
            nonlocal turns
            while not done.is_set():
                turns += 1
                await asyncio.sleep(0)
            return turns

        other = asyncio.create_task(other_request())
        response = sa.Response([b"x"] * ITEMS, limits=sa.Limits(max_items=1))
        await asyncio.wait_for(response.asgi({"type": "http", "method": "GET"}, receive, send), BOUND)
        done.set()
        return await other

    assert asyncio.run(call()) >= ITEMS - 1  # the first one may go out in the step that begins the source


def test_an_async_source_that_never_awaits_leaves_the_shared_loop_to_others_however_fast_its_client() -> None:
    begun, over = threading.Event(), threading.Event()

    async def greedy() -> AsyncIterator[bytes]:
        while not over.is_set():
            yield b"x" * 1024
            time.sleep(0)  # noqa: ASYNC251  # lets the client receive, and no other task of the loop run

    def read() -> None:
        for _ in sa.iter_bytes(greedy()):
            begun.set()

    async def modest() -> AsyncIterator[bytes]:
        yield b"done"

    reader = threading.Thread(target=read)
    other = threading.Thread(target=lambda: list(sa.iter_bytes(modest())))
    reader.start()
    try:
        assert begun.wait(BOUND)
        other.start()
        other.join(BOUND)
        assert not other.is_alive(), "a source that never awaits kept the loop to itself"
    finally:
        over.set()
        reader.join()
        other.join()
