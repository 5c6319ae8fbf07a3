"""The methods of `Broker` for runs, as its base class."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal

from stream_adapter._limits import check_seconds
from stream_adapter._pump import check_threads, current_loop
from stream_adapter._source import Kind, Source
from stream_adapter.engines import RunState
from stream_adapter.errors import SourceError

from ._ids import ChannelName
from ._runs import Options, Registry, Run, work_of
from ._runs._asking import aask, ask
from ._runs._claiming import cancelling, finding, restarting
from ._runs._joining import Joining

__all__ = ["RunMethods"]


class RunMethods:
    """The methods of `Broker` for runs."""

    @abstractmethod
    def _runs(self) -> Registry:
        """Return the runs of this process."""

    def run(
        self,
        key: str,
        factory: Callable[..., Any],
        *args: Any,
        on_disconnect: Literal["continue", "cancel"] = "continue",
        if_running: Literal["join", "reject", "cancel"] = "join",
        if_done: Literal["join", "restart"] = "join",
        retain: float = 300.0,
        timeout: float | None = None,
        lease: float = 15.0,
    ) -> Run:
        """Make a source of a run: a generator that is started once for its key, and goes on without its client.

        Nothing is started yet. When it is served, iterated or started, it begins, or joins the run of its key that is
        there. A client without a cursor is sent the run from its first item; one with a Last-Event-ID what followed.
        A client that has all of the run, or a cursor of a run that is there no more, is answered 204.

        Args:
            key: what it is started for: 1 to 255 printable characters, unguessable or checked by your view.
            factory: called when the run begins; it returns the items, sync or async: text, JSON values or
                ServerSentEvents. A plain function is called in a thread, and so is a sync generator iterated.
            *args: its arguments.
            on_disconnect: "cancel" ends the run when its last client of this process has left before its end.
            if_running: what to do if a run of the key runs: "join" it; "reject" this one: RunConflictError, 409;
                "cancel" it, and begin again.
            if_done: what to do if a run of the key has ended and is kept, however it has ended: "join" replays it,
                "restart" begins again.
            retain: seconds that the run is kept after its end.
            timeout: seconds that it may take; then it ends with an error.
            lease: seconds after which a run whose process has died is lost. Live ones renew it at a third.

        Raises:
            ValueError: an option has a value that is not allowed.
            TypeError: an option is of the wrong type, or the factory is not a function.
        """
        options = Options(on_disconnect, if_running, if_done, retain, timeout, lease)
        work = work_of(factory, args, options)
        registry = self._runs()
        return Run(Joining(self._runs, registry.name(key), work))

    def join(self, key: str, wait: float = 0.0) -> Run | None:
        """Return the newest run of a key, running or ended and kept; None without one.

        Args:
            key: what it was started for.
            wait: seconds to wait for one to begin.

        Raises:
            BrokerUnavailableError: the engine cannot be reached.
            ValueError: an argument has a value that is not allowed.
            RuntimeError: called on a running event loop, to wait; `await ajoin(…)` there.
        """
        registry, name = self._found(key, wait)
        if wait and current_loop() is not None:
            raise RuntimeError("wait: this would block the event loop that runs here; use `await ajoin(…)`")
        return self._joined(name, ask(finding(registry, name, float(wait))))

    async def ajoin(self, key: str, wait: float = 0.0) -> Run | None:
        """Return the newest run of a key, on an event loop; see `join`."""
        registry, name = self._found(key, wait)
        return self._joined(name, await aask(registry.engine, finding(registry, name, float(wait))))

    def _joined(self, name: ChannelName, state: RunState | None) -> Run | None:
        return None if state is None else Run(Joining(self._runs, name, None, state))

    def _found(self, key: str, wait: float) -> tuple[Registry, ChannelName]:
        check_seconds("wait", wait, zero=True)
        registry = self._runs()
        return registry, registry.name(key)

    def cancel(self, key: str, run: str) -> bool:
        """Ask the producer of a run to end, from any process. It does within a second, and a newer run never does.

        Args:
            key: what it was started for. Check that your user may stop it: an id grants nothing.
            run: its `id`.

        Returns:
            True if that run runs, and will end; False if it has ended, or is not the newest one of its key.

        Raises:
            BrokerUnavailableError: the engine cannot be reached.
            TypeError: an argument is not text.
            ValueError: the key is empty, too long, or holds a character that cannot be printed.
        """
        registry, name, epoch = self._named(key, run)
        return epoch is not None and ask(cancelling(registry, name, epoch))

    async def acancel(self, key: str, run: str) -> bool:
        """Ask the producer of a run to end, on an event loop; see `cancel`."""
        registry, name, epoch = self._named(key, run)
        return epoch is not None and await aask(registry.engine, cancelling(registry, name, epoch))

    def _named(self, key: str, run: object) -> tuple[Registry, ChannelName, str | None]:
        if not isinstance(run, str):
            raise TypeError(f"run: expected the id of a run, got {type(run).__name__}")
        registry = self._runs()
        name = registry.name(key)
        epoch = run.removeprefix(name.mark)
        return registry, name, epoch if epoch != run and 0 < len(epoch) <= 64 and epoch.isascii() else None

    def produce(self, key: str, source: Any, lease: float = 15.0) -> Run:
        """Produce a run in the calling task, such as one of a job queue, and return at its end; clients join it.

        A run of the key that has ended is replaced. What the source raises is logged, and ends the run with the status
        "error". An async source is iterated on the library's event loop.

        Args:
            key: what it is for.
            source: the items, sync or async.
            lease: seconds after which the run is lost, if this process dies.

        Raises:
            RunConflictError: a run of that key runs, and has another producer.
            CapacityError: the source needs a thread, and all of `configure(max_threads=…)` are taken.
            BrokerUnavailableError: the engine cannot be reached.
            RuntimeError: called on a running event loop; `await aproduce(…)` there.
            SourceError: the source cannot be streamed.
        """
        if current_loop() is not None:
            raise RuntimeError("this would block the event loop that runs here; use `await aproduce(…)`")
        registry, name, content, options = self._producing(key, source, lease)
        state = ask(restarting(registry, name, options))
        production = registry.launch(name, state, content, lease=lease, timeout=None)
        production.wait_here()
        return Run(Joining(self._runs, name, None, state, production))

    async def aproduce(self, key: str, source: Any, lease: float = 15.0) -> Run:
        """Produce a run on this event loop; see `produce`. Cancelling it cancels the run."""
        registry, name, content, options = self._producing(key, source, lease)
        state = await registry.claimed(name, restarting(registry, name, options))
        here = asyncio.get_running_loop()
        production = registry.launch(name, state, content, lease=lease, timeout=None, loop=here)
        await production.wait_closed()
        return Run(Joining(self._runs, name, None, state, production))

    def _producing(self, key: str, source: Any, lease: float) -> tuple[Registry, ChannelName, Source, Options]:
        options = Options(lease=lease)
        content = Source(source)
        if content.kind is Kind.ONE:
            raise SourceError(f"source: expected a generator, or an iterable, got {type(source).__name__}")
        registry = self._runs()
        registry.check_loop()
        if content.kind not in {Kind.ASYNC, Kind.AWAITABLE}:
            check_threads()
        return registry, registry.name(key), content, options
