"""What waits in a source's thread is woken when its stream is over, and nothing that waits elsewhere."""

from __future__ import annotations

import threading
from contextvars import copy_context

import pytest

from stream_adapter._pump import SourceThread, interruptible, source_runs_in
from stream_adapter.errors import StreamAborted

BOUND = 60.0


class Stream:
    def __init__(self) -> None:
        self.is_over = False
        self.event = threading.Event()

    def ending(self) -> BaseException | None:
        return StreamAborted("disconnect") if self.is_over else None

    def wait(self) -> bool:
        with interruptible(self.event.set):
            return self.event.wait(BOUND)


def test_wait_of_a_source_is_woken_and_raises_when_its_stream_ends() -> None:
    stream, thread, waits = Stream(), list[SourceThread](), threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        thread.append(SourceThread(stream.ending))
        source_runs_in(thread[0])
        waits.set()
        try:
            stream.wait()
        except StreamAborted as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    assert waits.wait(BOUND)
    stream.is_over = True
    thread[0].interrupt()
    worker.join(BOUND)
    assert len(errors) == 1


def test_wait_that_begins_after_the_end_of_its_stream_raises_at_once() -> None:
    stream = Stream()
    stream.is_over = True

    def work() -> None:
        source_runs_in(SourceThread(stream.ending))
        with pytest.raises(StreamAborted):
            stream.wait()
        stream.event.set()
        assert stream.wait()  # of a source that has caught it: it must not spin

    copy_context().run(work)


def test_wait_in_a_thread_that_has_a_copy_of_the_context_goes_on() -> None:
    stream, returned = Stream(), list[bool]()

    def work() -> None:
        source_runs_in(SourceThread(stream.ending))
        other = threading.Thread(target=copy_context().run, args=(lambda: returned.append(stream.wait()),))
        stream.is_over = True
        other.start()
        stream.event.set()
        other.join(BOUND)

    copy_context().run(work)
    assert returned == [True]
