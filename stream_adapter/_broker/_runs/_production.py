"""A run whose producer is in this process: its lease is kept, its items are appended, and its end is written.

A task of the run's loop, `_write`, appends what the outbox has, in one append what is there together, and finishes the
run. To an engine that never blocks, what a step of the source has yielded is appended as the step ends. The loop's
keeper renews the lease, and stops the run when it was cancelled, or the lease has ended.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

from stream_adapter._broker._ids import ChannelName
from stream_adapter._broker._waiters import wait_interruptibly
from stream_adapter._log import log_stream, printable
from stream_adapter._pump import BLOCKING_REMEDY, watch
from stream_adapter._source import Source
from stream_adapter.engines import Engine, Entry, RunState, RunStatus
from stream_adapter.errors import FencedError

from ._driving import closing, drive
from ._journal import Journal
from ._keeper import Keeper
from ._lease import Lease, Stop
from ._options import Work
from ._outbox import LimitError, Outbox
from ._stepped import Stepped

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["END_GRACE", "Production"]

_WATCH_AFTER = 0.05  # seconds: watching would take the interpreter from the first item
_CLOSING = 0.5  # seconds that an async source has to close before the end is written
END_GRACE = 2.0  # seconds for a run to end and its source to close, when its process is about to end


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
        keeper: keeps its lease, on the same loop.
        on_end: called once, on the run's loop, when all is done.

    Attributes:
        loop: the same.
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
        keeper: Keeper,
        on_end: Callable[[Production], object],
    ) -> None:
        self._name = name
        self._state = state
        self._work = work
        self._timeout = timeout
        self._on_end = on_end
        self._keeper = keeper
        self._lease = Lease(name.key, state, lease, timeout, self._stop_here)
        self._journal = Journal(engine, name, state, self._lease, append_timeout, self._log_name)
        self._outbox = Outbox(self._wake)
        self._never_waits = self._appends_here = not engine.blocks  # for an append; if it does, the writer's task does
        self._unanswered: list[bytes] = []
        self._stop: Stop | None = None
        self._source: asyncio.Task[None] | None = None
        self._in_threads: set[asyncio.Future[Any]] = set()  # of the source, which is closed there
        self._writer: asyncio.Task[None] | None = None
        self.loop: asyncio.AbstractEventLoop = loop
        self._watch: Callable[[], object] | None = None
        self._changed = asyncio.Event()
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

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, and can go on: its loop is there."""
        return not self.ended.is_set() and self.loop.is_running()

    def report_to(self, received: Callable[[Sequence[Entry]], object], watch: Callable[[], object]) -> None:
        """Report what the engine has stored: listeners of this process need not wait for its own notice.

        Args:
            received: called with what was stored.
            watch: called once a little later, when the first items are on their way.
        """
        self._journal.received = received
        self._watch = watch

    def start(self, context: Context, *, is_here: bool) -> None:
        """Begin on its loop; `is_here` if the caller runs on it."""
        if is_here:
            self._begin(context)
        else:
            self.loop.call_soon_threadsafe(self._begin, context)

    def _begin(self, context: Context) -> None:
        driving = drive(self._work, self._outbox, self._in_threads)
        self._source = self._task(Stepped(driving, self._after_step, self._block, watch(self.loop)), context)
        self._source.add_done_callback(lambda _: self._changed.set())
        self._writer = self._task(self._write(), Context())
        if self._watch is not None:
            self.loop.call_later(_WATCH_AFTER, self._watch, context=Context())

    def _block(self, where: str | None) -> None:
        """Let the source wait after each item from now on: it blocks the loop, on which its items are stored."""
        self._outbox.limit_to_one()
        if where is not None:
            log_stream(
                logging.WARNING, self._log_name, f"its source blocks the event loop, at {where}", BLOCKING_REMEDY
            )

    def _task(self, coroutine: Coroutine[None, None, None], context: Context) -> asyncio.Task[None]:
        return self.loop.create_task(coroutine, context=context)

    # from any thread

    def stop(self, reason: Stop) -> None:
        """End the run before its source does."""
        with suppress(RuntimeError):  # the loop is closed, and its tasks have ended
            self.loop.call_soon_threadsafe(self._stop_here, reason)

    def wait_here(self) -> None:
        """Wait in this thread until it has ended and its source is closed. What interrupts the wait cancels it."""
        try:
            wait_interruptibly(self.closed)
        except BaseException:  # the worker is stopped, or its time limit has passed
            self.stop("cancelled")
            self.closed.wait(END_GRACE)  # the process may end next, and the source's `finally` has to run
            raise

    def notice(self) -> None:
        """Check soon whether the run was cancelled."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._keeper.look, self._lease)

    def give_up(self) -> None:
        """Write the end in the caller's thread: the run's loop has ended, or is busy."""
        if not self.ended.is_set():
            self._outbox.close()
            self._journal.cancel_here()
            self._set_ended("cancelled")

    def can_end_itself(self, here: asyncio.AbstractEventLoop | None) -> bool:
        """Return True if its loop runs, and is not `here`, where the caller blocks it."""
        return self.loop.is_running() and self.loop is not here

    def _wake(self) -> None:
        """Empty the outbox soon: the source's thread has put something."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._after_step)

    # on the run's loop

    def _after_step(self) -> None:
        """Append what a step of the source has put: here if the engine never blocks, else in the writer's task."""
        if not self._appends_here:
            if not self._outbox.is_empty:
                self._changed.set()
            return
        payloads = self._outbox.take()
        if not payloads:
            return
        try:
            self._journal.append_here(payloads)
        except FencedError:
            self._unanswered = payloads
            self._stop_here("fenced")
        except Exception:  # noqa: BLE001  # the writer tries again, and raises what it cannot handle
            self._unanswered = payloads
            self._appends_here = False  # until those are stored
            self._changed.set()

    async def wait_closed(self) -> None:
        """Wait until it has ended and its source is closed. Cancelling the wait cancels it."""
        if self._writer is None:
            return
        try:
            await asyncio.wait((self._writer,))
        except asyncio.CancelledError:
            self._stop_here("cancelled")
            await asyncio.wait((self._writer,), timeout=END_GRACE)
            raise

    def _stop_here(self, reason: Stop) -> None:
        if self._stop is None and self._source is not None:
            self._stop = reason
            self._outbox.close()
            self._source.cancel()
            self._changed.set()

    async def _write(self) -> None:
        assert self._source is not None  # noqa: S101  # it begins first
        self._keeper.add(self._lease)
        try:
            await self._write_all(self._source)
        finally:
            self._keeper.remove(self._lease)
            self._set_ended(self.status if self.status != "running" else "lost")
            try:
                await closing(self._source, self._in_threads, self._log_name)
            finally:
                self._on_end(self)
                self.closed.set()

    async def _write_all(self, source: asyncio.Task[None]) -> None:
        last: list[bytes] = []
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                is_over = source.done() or self._stop is not None  # first: what it has put is taken after
                last = self._taken()
                if is_over:
                    break
                if last:
                    await self._journal.append(last)
                    self._appends_here = self._never_waits
                    last = []
        except FencedError:
            self._stop_here("fenced")
        except asyncio.CancelledError:  # the loop ends
            self._stop_here("cancelled")
            last = await self._journal.unstored(last) + self._taken()
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
            self.status = await self._journal.finish(last, status, detail)

    def _taken(self) -> list[bytes]:
        unanswered, self._unanswered = self._unanswered, []
        return unanswered + self._outbox.take()

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

    def _set_ended(self, status: RunStatus) -> None:
        self.status = status
        self._appends_here = False
        self.ended.set()

    @property
    def _log_name(self) -> str:
        source = self._work.name if isinstance(self._work, Work) else type(self._work.content).__name__
        return f"run {printable(self._name.public)} ({source})"
