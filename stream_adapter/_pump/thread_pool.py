"""The threads that iterate sync sources under an async server, or beside a server thread that applies deadlines.

A stream leases one worker and keeps it, so that thread-locals, sqlite and database connections stay valid. A released
worker waits for the next stream; a few idle ones are kept. They are daemons: a source that never returns must not keep
the process from ending.

Files have a few threads of their own, for one step each (`in_file_thread`): a download is not refused when streams have
leased every worker, and a download with a slow client does not hold a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from stream_adapter.errors import CapacityError

from .tasks import running_loop

__all__ = [
    "Worker",
    "call_for_future",
    "check_threads",
    "in_file_thread",
    "in_thread",
    "lease",
    "set_max_threads",
    "submit_to_file_thread",
]

T = TypeVar("T")

_IDLE_KEPT = 32
_FILE_THREADS = 16  # each blocks for as long as the file system does
_FILE_JOBS = 10_000  # that wait for a thread: more means that the file system has stopped


class Worker:
    """A thread that runs the jobs of one stream at a time, in order."""

    __slots__ = ("_jobs",)

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="stream_adapter.source", daemon=True).start()

    def submit(self, job: Callable[[], object]) -> None:
        """Run `job` in the thread, after those before it. A job does not raise."""
        self._jobs.put(job)

    def release(self) -> None:
        """Return the thread to the pool, after the last job."""
        self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is not None:
                job()
                del job  # drop the reference: it would keep the stream alive while this thread is idle
            elif not _pool.give_back(self):
                return


class _Pool:
    def __init__(self) -> None:
        self.max_threads = 1000
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._leased = 0

    def check(self) -> None:
        if self._leased >= self.max_threads:
            raise CapacityError(
                f"{self._leased} sync sources are being streamed, the most that configure(max_threads=…) allows"
            )

    def lease(self) -> Worker:
        with self._lock:
            self.check()
            self._leased += 1
            worker = self._idle.pop() if self._idle else None
        try:
            return worker or Worker()
        except BaseException:
            with self._lock:
                self._leased -= 1
            raise

    def give_back(self, worker: Worker) -> bool:
        with self._lock:
            self._leased -= 1
            if len(self._idle) >= _IDLE_KEPT:
                return False
            self._idle.append(worker)
            return True

    def after_fork(self) -> None:
        """Start without threads in a forked child: the parent's do not run there."""
        self._reset()


class _FileThreads:
    """Threads that run the next job of any download. They are started when needed, and kept."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._threads = self._idle = self._waiting = 0

    def submit(self, job: Callable[[], object]) -> None:
        """Run `job` as soon as a thread is free. A job does not raise."""
        with self._lock:
            if self._waiting >= _FILE_JOBS:
                raise CapacityError(f"{self._waiting} files are waiting to be read: the file system is too slow")
            self._waiting += 1
            if self._waiting > self._idle and self._threads < _FILE_THREADS:
                self._start()
        self._jobs.put(job)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="stream_adapter.file", daemon=True).start()
        except RuntimeError:  # the system has no more threads: the existing ones do the work
            if not self._threads:
                self._waiting -= 1
                raise CapacityError("no thread can be started to read a file") from None
            return
        self._threads += 1

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
                self._waiting -= 1
            job()
            del job

    def after_fork(self) -> None:
        """Start without threads in a forked child."""
        self._reset()


_pool = _Pool()
_file_threads = _FileThreads()
os.register_at_fork(after_in_child=_pool.after_fork)
os.register_at_fork(after_in_child=_file_threads.after_fork)


def check_threads() -> None:
    """Look whether a worker could be leased now, for one that is needed a little later.

    Raises:
        CapacityError: as many are leased as are allowed.
    """
    _pool.check()


def lease() -> Worker:
    """Take a worker for the life of one stream.

    Raises:
        CapacityError: as many are leased as are allowed.
    """
    return _pool.lease()


async def in_thread(function: Callable[[], T], discard: Callable[[T], object]) -> T:
    """Run a function that blocks in a worker, and return its result.

    Args:
        function: what is run.
        discard: called with a result that is not used, because the caller was cancelled or the loop has ended.

    Raises:
        CapacityError: as many threads are leased as are allowed.
    """
    worker = lease()

    def submit(job: Callable[[], object]) -> None:
        worker.submit(job)
        worker.release()

    return await _result_of(function, discard, submit)


async def in_file_thread(function: Callable[[], T], discard: Callable[[T], object]) -> T:
    """Run a function that opens or reads a file in one of the threads of files; as `in_thread` otherwise.

    Raises:
        CapacityError: the file system does not keep up.
    """
    return await _result_of(function, discard, _file_threads.submit)


def submit_to_file_thread(job: Callable[[], object]) -> None:
    """Run a job, which does not raise, in one of the threads of files.

    Raises:
        CapacityError: the file system does not keep up.
    """
    _file_threads.submit(job)


def call_for_future(function: Callable[[], T]) -> T:
    """Call a function whose outcome a future is to carry: it cannot carry StopIteration, and its waiter would hang.

    Raises:
        RuntimeError: the function has raised that, as `next(…)` does; a coroutine that does so raises the same.
    """
    try:
        return function()
    except StopIteration as error:
        raise RuntimeError("a function that was called in a thread raised StopIteration") from error


async def _result_of(
    function: Callable[[], T], discard: Callable[[T], object], submit: Callable[[Callable[[], object]], object]
) -> T:
    loop = running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T) -> None:
        discard(result) if future.cancelled() else future.set_result(result)

    def fail(error: BaseException) -> None:
        if not future.cancelled():
            future.set_exception(error)

    def job() -> None:
        try:
            result = call_for_future(function)
        except BaseException as error:  # noqa: BLE001  # raised in the caller
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nothing waits any more
                loop.call_soon_threadsafe(fail, error)
            return
        try:
            loop.call_soon_threadsafe(settle, result)
        except RuntimeError:
            discard(result)

    submit(job)
    try:
        return await future
    except asyncio.CancelledError:
        if not future.cancelled():  # the result was there before the cancellation
            discard(future.result())
        raise


def set_max_threads(count: int) -> None:
    """Allow `count` workers to be leased at a time."""
    _pool.max_threads = count
