"""The runs of one broker in one process: those that are produced here, and those that are listened to."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from stream_adapter._broker._frameworks import is_of_a_view
from stream_adapter._broker._hub import Hub
from stream_adapter._broker._ids import ChannelName
from stream_adapter._lifecycle import close_with_child
from stream_adapter._pump import background_loop, current_loop
from stream_adapter._source import Source
from stream_adapter.engines import Engine, RunState
from stream_adapter.errors import BrokerError, UnsupportedError

from ._asking import Asking, aask
from ._ending import frame_of_end
from ._keeper import Keeper
from ._options import Work
from ._production import END_GRACE, Production
from ._watchdog import Watchdog

__all__ = ["Registry"]


class Registry:
    """The runs of one broker in one process.

    Who owns what: `_lock` guards all. It is not held while the engine is asked, or a production is started or stopped.

    Args:
        engine: where they are.
        hub: returns this process's hub.
        prefix: of the channels; that of runs is a name space of its own.
        append_timeout: seconds.
    """

    def __init__(self, engine: Engine, hub: Callable[[], Hub], prefix: str, append_timeout: float) -> None:
        self.engine = engine
        self.hub = hub
        self._prefix = f"{prefix}@run"
        self._append_timeout = append_timeout
        self._lock = threading.Lock()
        self._productions: dict[Production, Callable[[], None]] = {}
        self._keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, Keeper] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._followers: dict[tuple[str, str], int] = {}
        self._ends_with_them: set[tuple[str, str]] = set()  # runs that one of their clients has left early
        self._watchdog: Watchdog | None = None
        close_with_child()

    def name(self, key: object) -> ChannelName:
        """Return the channel of a run's key.

        Raises:
            ValueError: it is empty, too long, or holds a character that cannot be printed.
            TypeError: it is not text.
        """
        return ChannelName.of(self._prefix, key, "key")

    def watchdog(self) -> Watchdog:
        """Return the watchdog for the leases of this hub's runs."""
        hub = self.hub()
        with self._lock:
            if self._watchdog is None or self._watchdog.hub is not hub:
                self._watchdog = Watchdog(hub, self.engine, self.is_own)
            return self._watchdog

    @staticmethod
    def check_loop() -> None:
        """Look for the loop on which a run would be produced, before it is claimed.

        Raises:
            UnsupportedError: gevent has patched the threads.
        """
        _own_loop()

    def launch(
        self,
        name: ChannelName,
        state: RunState,
        work: Work | Source,
        *,
        lease: float,
        timeout: float | None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Production:
        """Produce a run that was claimed: on `loop`; None: on the one that runs here, or else on the library's own."""
        loop = loop or _own_loop()
        production = Production(
            self.engine,
            name,
            state,
            work,
            lease=lease,
            timeout=timeout,
            append_timeout=self._append_timeout,
            loop=loop,
            keeper=self._keeper(loop),
            on_end=self._ended,
        )
        try:
            hub = self.hub()
            channel, leave = hub.observe(name, production.notice, state.epoch)
            if self.engine.blocks:  # else its listeners have what is stored before the append returns
                production.report_to(
                    partial(hub.received, name.key, state.epoch), partial(hub.watch, channel, production.notice)
                )
        except BrokerError:  # a cancellation is seen when the lease is renewed
            leave = _nothing
        with self._lock:
            self._productions[production] = leave
        production.start(copy_context(), is_here=loop is current_loop())
        return production

    def _keeper(self, loop: asyncio.AbstractEventLoop) -> Keeper:
        with self._lock:
            keeper = self._keepers.get(loop)
            if keeper is None:
                keeper = self._keepers[loop] = Keeper(self.engine)
            return keeper

    def production(self, name: ChannelName, state: RunState) -> Production | None:
        """Return the producer of a run, if it is in this process."""
        found = (own for own in self._own() if own.key == name.key and own.epoch == state.epoch)
        return next(found, None)

    def is_own(self, key: str, epoch: str) -> bool:
        """Return True if this process produces a run: it is not lost, however late its lease is renewed."""
        return any(own.key == key and own.epoch == epoch and own.is_alive for own in self._own())

    def _ended(self, production: Production) -> None:
        with self._lock:
            leave = self._productions.pop(production, _nothing)
        leave()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a task until it is done: a loop holds its tasks weakly."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def claimed(self, name: ChannelName, steps: Asking[RunState]) -> RunState:
        """Claim a run for the caller, who produces it. If the caller is cancelled before, what was claimed is ended."""
        claim = asyncio.get_running_loop().create_task(aask(self.engine, steps))
        self.keep(claim)
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            claim.add_done_callback(partial(self._give_back, name))
            raise

    def _give_back(self, name: ChannelName, claim: asyncio.Task[RunState]) -> None:
        if claim.cancelled() or claim.exception() is not None:
            return
        self._ask_apart(
            partial(self.engine.finish, name.key, claim.result().token, "cancelled", [frame_of_end("cancelled")])
        )

    def _ask_apart(self, ask: Callable[[], object]) -> None:
        """Ask the engine, in no loop's thread if that waits. What cannot be reached ends by its lease."""

        def asking() -> None:
            with suppress(BrokerError):
                ask()

        if not self.engine.blocks:
            asking()
            return
        with suppress(BrokerError):  # the broker is closed
            self.hub().after(0.0, asking)

    # clients

    def entered(self, key: str, epoch: str) -> None:
        """Count a client of a run."""
        with self._lock:
            self._followers[key, epoch] = self._followers.get((key, epoch), 0) + 1

    def left(self, key: str, epoch: str, *, cancels: bool) -> None:
        """Remove a client from the count; if it `cancels`, the last one of this process to leave cancels the run."""
        run = key, epoch
        with self._lock:
            if cancels:
                self._ends_with_them.add(run)
            left = self._followers[run] - 1
            if left:
                self._followers[run] = left
                return
            del self._followers[run]
            if run not in self._ends_with_them:
                return
            self._ends_with_them.discard(run)
        self._ask_apart(partial(self._cancel, key, epoch))

    def _cancel(self, key: str, epoch: str) -> None:
        for production in self._own():
            if production.key == key and production.epoch == epoch:
                production.stop("cancelled")
                return
        self.engine.cancel(key, epoch)

    # the end

    def _own(self) -> list[Production]:
        with self._lock:
            return list(self._productions)

    @property
    def count(self) -> int:
        """How many are produced here."""
        return len(self._productions)

    def end(self) -> None:
        """End all runs that are produced here as cancelled, and wait a little until they have ended and are closed."""
        productions = self._own()
        for production in productions:
            production.stop("cancelled")
        until = time.monotonic() + END_GRACE
        here = current_loop()
        for production in productions:
            if production.can_end_itself(here):
                production.closed.wait(max(until - time.monotonic(), 0))
            production.give_up()


def _own_loop() -> asyncio.AbstractEventLoop:
    """Return the loop for a run that outlives its caller."""
    here = current_loop()
    if here is not None and not is_of_a_view(here):
        return here
    try:
        return background_loop()
    except UnsupportedError:
        raise UnsupportedError(
            "a run cannot be produced in a worker that gevent has patched, where it has no thread of its own; use"
            " gunicorn's gthread worker or an ASGI server, or produce it in a job queue"
        ) from None


def _nothing() -> None:
    pass
