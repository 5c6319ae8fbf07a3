"""A sync source in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from stream_adapter._pump.source_thread import SourceThread, source_runs_in
from stream_adapter._pump.wakeups import ThreadWaker
from stream_adapter.errors import StreamAborted

from .base import Pipe, Producer

__all__ = ["ThreadProducer"]


class ThreadProducer(Producer):
    """Owned by the thread that runs the jobs.

    Args:
        submit: runs a job in the source's thread, after those before it.
        release: called once, in the thread, after the source is closed.
        slice_seconds: for how long a job may keep a thread that is shared, if submitting the next job is costly: a job
            that finds the buffer full waits for room until its slice is over. None: the thread belongs to the
            stream, and the job returns at once.
    """

    __slots__ = ("_iterator", "_parked", "_parking", "_release", "_room", "_slice", "_submit", "_thread", "_until")

    def __init__(
        self,
        pipe: Pipe,
        *,
        submit: Callable[[Callable[[], object]], object],
        release: Callable[[], object],
        slice_seconds: float | None,
    ) -> None:
        super().__init__(pipe)
        self._submit = submit
        self._release = release
        self._slice = slice_seconds
        self._until = 0.0
        self._room = ThreadWaker()
        self._parked = False  # no job runs, and the consumer submits the next one
        self._parking = threading.Lock()
        self._iterator: Iterator[object] | None = None
        self._thread: SourceThread | None = None

    def start(self) -> None:
        """Submit the next job."""
        self._submit(self._job)

    def resume(self) -> None:
        """Wake the job that waits for room, or submit the next job if the last one found the buffer full."""
        self._room.wake()
        if self._parked and self._unpark():
            self.start()

    def stop(self) -> None:
        """Stop the running job, or submit one that closes the source."""
        self.resume()
        thread = self._thread
        if thread is not None:
            thread.interrupt()

    def wait_for_room(self) -> None:
        """Wait, within a step of the source, until there is room or the stream is over."""
        self._account()
        while not self._left and not self._has_room():
            self._room.wait(self._has_room)

    def _may_go_on(self) -> bool:
        return not self.stopping and (self._slice is None or time.monotonic() < self._until)

    def _job(self) -> None:
        self.context.run(self._work_here)

    def _work_here(self) -> None:
        self._thread = SourceThread(self._ending)
        source_runs_in(self._thread)
        try:
            self._work()
        finally:
            self._thread = None
            source_runs_in(None)

    def _ending(self) -> BaseException | None:
        return StreamAborted("disconnect") if self.stopping else None

    def _work(self) -> None:
        error: BaseException | None = None
        if self._slice is not None:
            self._until = time.monotonic() + self._slice
        try:
            if self._iterator is None and not self.stopping:
                self._iterator = self._iterate_source()
            while not self.stopping and self._iterator is not None and not self._fill(self._iterator):
                if self.stopping:
                    break  # close here: the thread may be given up by now, and the next job would find another
                if self._slice is not None and self._wait_for_room():
                    continue
                if not self.buffer.is_full():
                    self.start()  # the slice is over: behind whatever else waits for this thread
                    return
                if self._park():
                    return
        except BaseException as raised:  # noqa: BLE001  # raised by the consumer, after the chunks before it
            error = raised
        if self.stopping and isinstance(error, StreamAborted):
            error = None
        self._close_sync()
        self._release()
        self.buffer.end(error)
        self.waker.wake()

    def _wait_for_room(self) -> bool:
        """Wait for room for the rest of the slice; return True if there is room, and time to use it."""
        while (left := self._until - time.monotonic()) > 0:
            if self._has_room():
                return True
            self._room.wait(self._has_room, left)
        return False

    def _has_room(self) -> bool:
        return self.stopping or not self.buffer.is_full()

    def _park(self) -> bool:
        """Leave the next job to the consumer; return False if there is room again, so that this job continues."""
        self._parked = True
        return not self._has_room() or not self._unpark()

    def _unpark(self) -> bool:
        """Claim the next job; return False if the other side has claimed it."""
        with self._parking:
            was_parked, self._parked = self._parked, False
        return was_parked
