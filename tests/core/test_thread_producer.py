"""The jobs of a sync source in a thread that others use too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context

from stream_adapter._pump.buffer import Buffer
from stream_adapter._pump.producers import Pipe, ThreadProducer
from stream_adapter._pump.wakeups import ThreadWaker
from stream_adapter._source import Source
from stream_adapter.formats import Text


def test_source_stopped_during_its_step_is_closed_by_the_same_job() -> None:
    jobs: list[Callable[[], object]] = []
    closed: list[str] = []

    def source() -> Iterator[bytes]:
        try:
            producer.stopping = True  # the deadline passes while the source is silent
            producer.stop()
            yield b"late"
            yield b"never"
        finally:
            closed.append("closed")

    waker = ThreadWaker()
    waker.waiting = True
    producer = ThreadProducer(
        Pipe(
            Source(source()),
            Text().encoder(strict=False, charset="utf-8"),
            Buffer(1024, 16),
            waker,
            copy_context(),
        ),
        submit=jobs.append,
        release=lambda: None,
        slice_seconds=0,
    )
    producer.start()
    jobs.pop()()
    assert closed == ["closed"]
    assert jobs == [], "a further job could run in another thread while this one still leaves the context"
