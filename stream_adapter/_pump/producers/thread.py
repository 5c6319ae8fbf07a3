"""A sync source in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .base import Producer

__all__ = ["ThreadProducer"]


class ThreadProducer(Producer):
    """Owned by the thread that runs the jobs.

    Args:
        submit: runs a job in the source's thread, after those before it.
        release: called once, in the thread, after the source is closed: nothing more is submitted.
        slice_seconds: how long one job may go on while the thread has other work to do; None: it has none.
    """

    def __init__(
        self,
        *owned: Any,
        submit: Callable[[Callable[[], object]], object],
        release: Callable[[], object],
        slice_seconds: float | None,
    ) -> None:
        super().__init__(*owned)
        self._submit = submit
        self._release = release
        self._slice = slice_seconds
        self._until = 0.0
        self._parked = False  # no job runs, and the next one is the consumer's to submit
        self._parking = threading.Lock()
        self._iterator: Iterator[object] | None = None

    def start(self) -> None:
        """Submit the next job."""
        self._submit(self._job)

    def resume(self) -> None:
        """Submit the next job if the last one found the window full."""
        if self._parked and self._unpark():
            self.start()

    def stop(self) -> None:
        """Let the running job see it, or submit one that closes the source."""
        super().stop()
        self.resume()

    def _may_go_on(self) -> bool:
        return not self.stopping and (self._slice is None or time.monotonic() < self._until)

    def _job(self) -> None:
        self.context.run(self._work)

    def _work(self) -> None:
        error: BaseException | None = None
        if self._slice is not None:
            self._until = time.monotonic() + self._slice
        try:
            if self._iterator is None and not self.stopping:
                self._iterator = self._iterate_source()
            while not self.stopping and self._iterator is not None and not self._fill(self._iterator):
                if not self.window.is_full():
                    self.start()  # the slice is over: behind whatever else waits for this thread
                    return
                if self._park():
                    return
        except BaseException as raised:  # noqa: BLE001  # the consumer raises it, after what came before
            error = raised
        self._close_sync()
        self._release()
        self.window.end(error)
        self.bell.ring()

    def _park(self) -> bool:
        """Leave the next job to the consumer; False if it is still this job's turn, because there is room again."""
        self._parked = True
        if self.window.is_full() and not self.stopping:
            return True
        return not self._unpark()

    def _unpark(self) -> bool:
        """Take the next job upon oneself; False if the other side has."""
        with self._parking:
            was_parked, self._parked = self._parked, False
        return was_parked
