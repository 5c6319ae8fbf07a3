"""The base class of engines: async methods by the sync ones, and the state that belongs to a process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TypeVar

from stream_adapter.errors import BrokerUnavailableError

from ._batches import Batch, Batches
from ._protocol import Engine, Receiver
from ._values import Append, Frame, Frames, History, Page, Position, RunState, RunStatus

__all__ = ["BaseEngine"]

T = TypeVar("T")

_THREADS = 4  # that wait for the store on behalf of event loops; the store is asked in parallel, not each caller


class _Unbound(Receiver):
    """Stands for the receiver until there is one."""

    def received(self, channel: str, epoch: str, entries: object) -> None: ...
    def changed(self, channel: str | None = None) -> None: ...
    def disconnected(self, error: BaseException) -> None: ...
    def reconnected(self) -> None: ...


class BaseEngine(Engine):
    """An engine that has the sync methods; derive from it.

    If `blocks` is False the async methods call the sync ones on the loop, otherwise in a few threads. An engine whose
    client is async as well overrides them.

    Attributes:
        receiver: what the engine reports to.
    """

    blocks: bool = True

    def __init__(self) -> None:
        self.receiver: Receiver = _Unbound()
        self.is_closed: bool = False
        self._owner = os.getpid()
        self._changing_owner = threading.Lock()
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._appends = Batches[Append, "list[Position]"](self._append_batch)

    def bind(self, receiver: Receiver) -> None:
        """Report to `receiver` from now on."""
        if not isinstance(self.receiver, _Unbound):
            raise ValueError(  # noqa: TRY004  # not its type: what it was given before
                "engine: expected an engine without a Broker, got that of another one; make one for each"
            )
        self.receiver = receiver

    def check_process(self) -> None:
        """Call it first in every method: it refuses a closed engine, and calls `after_fork` in a forked child."""
        if self.is_closed:
            raise BrokerUnavailableError("the broker is closed")
        if self._owner != os.getpid():
            with self._changing_owner:  # other threads of the child wait until nothing of the parent is left
                if self._owner != os.getpid():
                    self._lock = threading.Lock()  # the parent's may be held by a thread that does not live here
                    self._executor = None
                    self._appends = Batches(self._append_batch)
                    self.after_fork()
                    self._owner = os.getpid()

    def after_fork(self) -> None:
        """Forget connections, threads and locks of the parent without closing them. Called once in a forked child."""

    def append(
        self,
        channel: str,
        frame: bytes,
        key: str | None = None,
        token: int | None = None,
        *,
        history: History | None = None,
        timeout: float | None = None,
    ) -> Position:
        """Append one frame; see `append_many`."""
        frames = [Frame(frame, key)]
        return self.append_many(channel, frames, history=history or History(), token=token, timeout=timeout)[0]

    async def call(self, method: Callable[[], T]) -> T:
        """Run a sync method on behalf of an event loop."""
        if not self.blocks:
            return method()
        self.check_process()
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="stream_adapter.engine")
            executor = self._executor
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        try:
            executor.submit(_run, method, loop, answer)  # `run_in_executor` makes a chain of futures before it lets go
        except RuntimeError:
            # the process exits: no executor takes anything more, and the ends of runs are to be stored
            return method()
        return await answer

    async def aappend_many(
        self, channel: str, frames: Frames, *, history: History, token: int | None = None, timeout: float | None = None
    ) -> list[Position]:
        """Append frames, on an event loop; what waits for the same channel is one append."""
        append = partial(self.append_many, channel, frames, history=history, token=token)
        if timeout is None or not self.blocks:
            return await self.call(append)
        self.check_process()
        asked = Append(channel, frames, history, token)
        return await self._appends.ask(asked, asked.size, timeout, lane=(channel, history, token))

    async def _append_batch(self, batch: Batch[Append, list[Position]]) -> Sequence[list[Position] | Exception]:
        until = time.monotonic() + batch.until - asyncio.get_running_loop().time()

        def append() -> list[list[Position]]:
            asked = batch.begin()
            if not asked:
                return []
            channel, _, history, token = asked[0]
            frames = [frame for each in asked for frame in each.frames]
            left = max(until - time.monotonic(), 0.001)
            found = iter(self.append_many(channel, frames, history=history, token=token, timeout=left))
            return [list(islice(found, len(each.frames))) for each in asked]

        return await self.call(append)

    async def apositions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel, on an event loop."""
        return await self.call(partial(self.positions, channels))

    def positions(self, channels: Iterable[str]) -> Mapping[str, Position]:
        """Return the newest position of each channel. Override it to do so in one round trip."""
        pages: dict[str, Page] = {channel: self.read(channel, None, 0) for channel in channels}
        return {channel: Position(page.epoch, page.top) for channel, page in pages.items()}

    def claim(self, channel: str, *, lease: float, retain: float, restart: bool = False) -> RunState:
        """Refuse: an engine may carry events and no runs."""
        raise NotImplementedError(f"{type(self).__name__} does not carry runs")

    def renew(self, channel: str, token: int, *, lease: float) -> RunState:
        """Refuse: an engine may carry events and no runs."""
        raise NotImplementedError(f"{type(self).__name__} does not carry runs")

    def finish(self, channel: str, token: int, status: RunStatus, frames: Frames = ()) -> RunState:
        """Refuse: an engine may carry events and no runs."""
        raise NotImplementedError(f"{type(self).__name__} does not carry runs")

    def cancel(self, channel: str, epoch: str) -> RunState | None:
        """Return None: this engine carries no runs that could be canceled."""
        del channel, epoch
        return None

    def run_state(self, channel: str) -> RunState | None:
        """Return None: this engine carries no runs."""
        del channel
        return None

    def close(self) -> None:
        """Close what belongs to this process. Override it, and call it last.

        In a forked child, what is there may be the parent's: call `check_process` before you close it.
        """
        self.is_closed = True
        executor, self._executor = self._executor, None
        if executor is not None and self._owner == os.getpid():
            executor.shutdown(wait=False)

    async def aclose(self) -> None:
        """Close it, on an event loop."""
        if self.blocks:
            await asyncio.get_running_loop().run_in_executor(None, self.close)
        else:
            self.close()


def _run(method: Callable[[], T], loop: asyncio.AbstractEventLoop, answer: asyncio.Future[T]) -> None:
    """Run a method in this thread, unless its caller was cancelled, and have the loop settle its answer."""
    if answer.cancelled():
        return
    try:
        settle = partial(answer.set_result, method())
    except BaseException as error:  # noqa: BLE001  # the caller raises it
        settle = partial(answer.set_exception, error)
    with suppress(RuntimeError):  # the loop is closed, and no task of it waits
        loop.call_soon_threadsafe(_settle, answer, settle)


def _settle(answer: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not answer.done():
        settle()
