"""A run whose producer is in this process: its lease is kept, its items are appended, and its end is written.

Two tasks of the run's loop: `_write` appends what the outbox has, in one append what is there together, and finishes
the run; `_keep` renews the lease at a third of it, and looks whether the run was cancelled. Where the engine cannot be
reached they try again as long as the lease lasts. After that the run is not this producer's any more: its source is
closed, and a reader writes "lost".
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from stream_adapter._broker._ids import ChannelName
from stream_adapter._log import log_stream, printable
from stream_adapter._source import Source
from stream_adapter.engines import Engine, Frame, History, RunState, RunStatus
from stream_adapter.errors import BrokerError, BrokerUnavailableError, FencedError, PublishTimeoutError

from ._asking import call
from ._driving import drive
from ._ending import frame_of_end
from ._options import Work
from ._outbox import LimitError, Outbox

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["END_GRACE", "Production"]

Stop: TypeAlias = Literal["cancelled", "timeout", "fenced"]

_NOTICES = 0.2  # seconds between two looks at a run's state, however many notices there are
_CLOSING = 0.5  # seconds that an async source has to close before the end is written
_CLOSE_TIMEOUT = 5.0  # seconds after which a source that does not close is abandoned
_INTERRUPTIBLE = 0.25  # seconds: job queues raise an exception in a thread, which a wait for a lock does not notice
END_GRACE = 2.0  # seconds for the end of a run to be written, when its process is about to end
_PAUSES = (0.05, 0.1, 0.25, 0.5)  # seconds between two attempts, where the engine cannot be reached
_ENTRIES = History()  # a run's entries are not trimmed by it


class Production:
    """The producer of a run.

    Args:
        engine: where it writes.
        name: the run's channel.
        state: its claim.
        work: what makes its items.
        lease: seconds.
        timeout: seconds that it may take; None: any.
        append_timeout: seconds that one append may take.
        loop: where it runs.
        on_end: called once, on the run's loop, when all is done.

    Attributes:
        status: as known here.
        ended: set when the end is written, or is left to a reader.
        closed: set when the source is closed, too, or abandoned.
    """

    def __init__(
        self,
        engine: Engine,
        name: ChannelName,
        state: RunState,
        work: Work | Source,
        *,
        lease: float,
        timeout: float | None,
        append_timeout: float,
        loop: asyncio.AbstractEventLoop,
        on_end: Callable[[Production], object],
    ) -> None:
        self._engine = engine
        self._name = name
        self._state = state
        self._work = work
        self._lease = lease
        self._timeout = timeout
        self._append_timeout = append_timeout
        self._on_end = on_end
        self._outbox = Outbox(self._wake_writer)
        self._top = 0
        self._stop: Stop | None = None
        self._lease_until = time.monotonic() + lease
        self._source: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._loop = loop
        self._changed = asyncio.Event()
        self._noticed = asyncio.Event()
        self.status: RunStatus = "running"
        self.ended: threading.Event = threading.Event()
        self.closed: threading.Event = threading.Event()

    @property
    def epoch(self) -> str:
        """The run's."""
        return self._state.epoch

    @property
    def key(self) -> str:
        """The engine's name of its channel."""
        return self._name.key

    def start(self, context: Context, *, is_here: bool) -> None:
        """Begin on its loop; `is_here` if the caller runs on it."""
        if is_here:
            self._begin(context)
        else:
            self._loop.call_soon_threadsafe(self._begin, context)

    def _begin(self, context: Context) -> None:
        self._source = self._task(drive(self._work, self._outbox), context)
        self._source.add_done_callback(lambda _: self._changed.set())
        self._writer = self._task(self._write(), Context())

    def _task(self, coroutine: Coroutine[None, None, None], context: Context) -> asyncio.Task[None]:
        return self._loop.create_task(coroutine, context=context)

    # from any thread

    def stop(self, reason: Stop) -> None:
        """End the run before its source does."""
        with suppress(RuntimeError):  # the loop is closed, and its tasks have ended
            self._loop.call_soon_threadsafe(self._stop_here, reason)

    def wait_here(self) -> None:
        """Wait in this thread until it has ended and its source is closed. What interrupts the wait cancels it."""
        try:
            while not self.closed.wait(_INTERRUPTIBLE):
                pass
        except BaseException:  # the worker is stopped, or its time limit has passed
            self.stop("cancelled")
            self.ended.wait(END_GRACE)  # the process may end next
            raise

    def notice(self) -> None:
        """Check soon whether the run was cancelled."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._noticed.set)

    def give_up(self) -> None:
        """Write the end in the caller's thread: the run's loop has ended, or is busy."""
        if not self.ended.is_set():
            self._outbox.close()
            with suppress(BrokerError):
                self._engine.finish(self.key, self._state.token, "cancelled", [frame_of_end("cancelled")])
            self._set_ended("cancelled")

    def can_end_itself(self, here: asyncio.AbstractEventLoop | None) -> bool:
        """Return True if its loop runs, and is not `here`, where the caller blocks it."""
        return self._loop.is_running() and self._loop is not here

    def _wake_writer(self) -> None:
        """Ask the writer to empty the outbox. Called by the source's task, or its thread."""
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._changed.set()
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed.set)

    # on the run's loop

    async def wait_closed(self) -> None:
        """Wait until it has ended and its source is closed."""
        if self._writer is not None:
            await asyncio.wait((self._writer,))

    def _stop_here(self, reason: Stop) -> None:
        if self._stop is None and self._source is not None:
            self._stop = reason
            self._outbox.close()
            self._source.cancel()
            self._changed.set()

    async def _write(self) -> None:
        assert self._source is not None  # noqa: S101  # it begins first
        keeper = self._task(self._keep(), Context())
        try:
            await self._write_all(self._source)
        finally:
            keeper.cancel()
            self._set_ended(self.status if self.status != "running" else "lost")
            try:
                await self._closing(self._source)
            finally:
                self._on_end(self)
                self.closed.set()

    async def _write_all(self, source: asyncio.Task[None]) -> None:
        last: list[Frame] = []
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                is_over = source.done() or self._stop is not None  # first: what it has put is taken after
                last = self._outbox.take()
                if is_over:
                    break
                if last:
                    await self._append(last)
                    last = []
        except FencedError:
            self._stop_here("fenced")
        except asyncio.CancelledError:  # the loop ends
            self._stop_here("cancelled")
            last = await self._unstored(last) + self._outbox.take()
        if self._stop is not None:
            await asyncio.wait((source,), timeout=_CLOSING)
        if self.ended.is_set():  # by `give_up`
            return
        status, detail = self._outcome(source)
        if status == "lost":
            log_stream(
                logging.WARNING,
                self._log_name,
                "another producer took its place, or its lease ended",
                "nothing more of it is stored",
            )
            self.status = "lost"
        else:
            self.status = await self._finish([*last, frame_of_end(status, detail)], status)

    def _outcome(self, source: asyncio.Task[None]) -> tuple[RunStatus, str | None]:
        """Return how the run ends, and what its clients may know of it; log what its source has raised."""
        if self._stop == "timeout":
            return "error", self._log_limit(f"the run took longer than its timeout of {self._timeout:g} s")
        if self._stop is not None:
            return "lost" if self._stop == "fenced" else "cancelled", None
        error = asyncio.CancelledError() if source.cancelled() else source.exception()
        if error is None:
            return "done", None
        if isinstance(error, LimitError):
            return "error", self._log_limit(str(error))
        happened, then = f"failed (items: {self._outbox.count})", "its clients receive a generic error"
        log_stream(logging.ERROR, self._log_name, happened, then, error=error)
        return "error", None

    def _log_limit(self, limit: str) -> str:
        log_stream(logging.ERROR, self._log_name, limit, "it ends with an error")
        return limit

    async def _append(self, frames: list[Frame]) -> None:
        """Append items. After an attempt without an answer, check whether it was stored before trying again.

        Raises:
            FencedError: the run is not this producer's any more.
        """
        attempt = 0
        while True:
            try:
                await self._engine.aappend_many(
                    self.key, frames, history=_ENTRIES, token=self._state.token, timeout=self._append_timeout
                )
            except (BrokerUnavailableError, PublishTimeoutError) as error:
                if await self._is_stored(len(frames), error, attempt):
                    break
                attempt += 1
            else:
                break
        self._top += len(frames)

    async def _is_stored(self, count: int, error: BrokerError, attempt: int) -> bool:
        """Wait until the engine answers; return True if what was appended is there: no other producer appends."""
        while True:
            await self._pause(error, attempt)
            try:
                page = await call(self._engine, partial(self._engine.read, self.key, None, 0))
            except BrokerError as again:
                error, attempt = again, attempt + 1
                continue
            if page.epoch != self.epoch:
                raise FencedError("the store has lost the run, or another one has taken its place")
            return page.top >= self._top + count

    async def _unstored(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames of an append that was cancelled, unless they are stored."""
        with suppress(BrokerError):
            page = await call(self._engine, partial(self._engine.read, self.key, None, 0))
            if page.epoch == self.epoch and page.top >= self._top + len(frames):
                return []
        return frames

    async def _pause(self, error: BrokerError, attempt: int) -> None:
        """Wait before the next attempt.

        Raises:
            FencedError: the lease has ended.
        """
        if attempt == 0:
            log_stream(logging.WARNING, self._log_name, str(error), "trying again as long as its lease lasts")
        pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
        if time.monotonic() + pause > self._lease_until:
            raise FencedError("the lease has ended while the engine could not be reached") from error
        await asyncio.sleep(pause)

    async def _finish(self, frames: list[Frame], status: RunStatus) -> RunStatus:
        """Write the last items and the end in one step; return how the run has ended."""
        finish = partial(self._engine.finish, self.key, self._state.token, status, frames)
        attempt = 0
        while True:
            try:
                await call(self._engine, finish)
            except FencedError:
                return await self._ended_by_another()
            except BrokerError as error:
                try:
                    await self._pause(error, attempt)
                except FencedError:
                    return "lost"
                attempt += 1
            else:
                return status

    async def _ended_by_another(self) -> RunStatus:
        """Return how the run has ended: by an earlier attempt without an answer, or by a reader."""
        with suppress(BrokerError):
            state = await call(self._engine, partial(self._engine.run_state, self.key))
            if state is not None and state.epoch == self.epoch and state.status != "running":
                return state.status
        return "lost"

    async def _keep(self) -> None:
        """Renew the lease at a third of it, look for a cancellation, and watch the timeout."""
        now = time.monotonic()
        ends = None if self._timeout is None else now + self._timeout
        due = now + self._lease / 3
        while True:
            await asyncio.sleep(min(_NOTICES, self._lease / 10))  # however many notices there are
            left = min(due, due if ends is None else ends) - time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(left, 0)):
                    await self._noticed.wait()
            now = time.monotonic()
            if ends is not None and now >= ends:
                self._stop_here("timeout")
                return
            self._noticed.clear()
            try:
                if now >= due:
                    is_cancelled = await self._renew()
                    due = now + self._lease / 3
                else:
                    is_cancelled = await self._is_cancelled()
            except FencedError:
                self._stop_here("fenced")
                return
            except BrokerError:
                if time.monotonic() > self._lease_until:
                    self._stop_here("fenced")
                    return
                due = time.monotonic() + min(_PAUSES[-1], self._lease / 10)
                continue
            if is_cancelled:
                self._stop_here("cancelled")
                return

    async def _renew(self) -> bool:
        """Renew the lease; return True if the run was cancelled."""
        now = time.monotonic()
        renew = partial(self._engine.renew, self.key, self._state.token, lease=self._lease)
        state = await call(self._engine, renew)
        self._lease_until = now + self._lease
        return state.cancelled

    async def _is_cancelled(self) -> bool:
        state = await call(self._engine, partial(self._engine.run_state, self.key))
        return state is not None and state.epoch == self.epoch and state.cancelled

    def _set_ended(self, status: RunStatus) -> None:
        self.status = status
        self.ended.set()

    async def _closing(self, source: asyncio.Task[None]) -> None:
        if not source.done():
            await asyncio.wait((source,), timeout=_CLOSE_TIMEOUT)
        if not source.done():
            log_stream(
                logging.WARNING,
                self._log_name,
                f"its source did not close within {_CLOSE_TIMEOUT:g} s",
                "abandoning it",
            )
        elif not source.cancelled():
            source.exception()  # it is looked at

    @property
    def _log_name(self) -> str:
        source = self._work.name if isinstance(self._work, Work) else type(self._work.content).__name__
        return f"run {printable(self._name.public)} ({source})"
