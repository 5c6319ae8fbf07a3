"""Chunks that a source sends rather than yields: it must wait where the buffer is full, and lets other tasks run."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from stream_adapter._pump import Buffer, LoopWaker, Pipe, TaskProducer
from stream_adapter._source import Source
from stream_adapter.formats import Text

ROW = b"x" * 22
ROWS = -(-65536 // len(ROW))  # that fill the buffer


def producer_of(buffer: Buffer) -> TaskProducer:
    pipe = Pipe(
        Source(()), Text().encoder(strict=False, charset="utf-8"), buffer, LoopWaker(threadsafe=False), copy_context()
    )
    return TaskProducer(pipe, loop=asyncio.get_running_loop(), threadsafe=False, async_context=None)


def test_pushed_rows_fill_the_buffer_before_their_source_must_wait() -> None:
    async def push() -> None:
        producer = producer_of(Buffer(65536, 4096))
        producer.put(ROW)
        await producer.wait_for_room()
        assert [producer.put(ROW) for _ in range(ROWS - 2)] == [False] * (ROWS - 2)
        assert producer.put(ROW)

    asyncio.run(push())


def test_pushed_rows_that_are_taken_as_fast_let_other_tasks_run() -> None:
    async def push() -> int:
        producer = producer_of(Buffer(65536, 4096))
        asked = 0
        for _ in range(4 * ROWS):
            if producer.put(ROW):
                asked += 1
                await producer.wait_for_room()
            producer.buffer.take()
        return asked

    assert asyncio.run(push()) >= 4


def test_pushed_empty_chunks_are_bounded() -> None:
    async def push() -> None:
        producer = producer_of(Buffer(65536, 5))
        producer.put(b"")
        await producer.wait_for_room()
        assert [producer.put(b"") for _ in range(4)] == [False, False, False, True]

    asyncio.run(push())
