"""`Run`, the public object: a source for responses, an iterable of events, and the state of the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any, Literal, Self

from stream_adapter._broker._ids import ChannelName
from stream_adapter._broker._listening import AsyncStream, Listening, SyncStream, is_gevent
from stream_adapter._broker._records import Event
from stream_adapter._broker._waiters import LoopWaiter, ThreadWaiter
from stream_adapter._lifecycle import is_draining
from stream_adapter._request import RequestHead
from stream_adapter._source_protocols import OpenedSource
from stream_adapter.engines import RunState
from stream_adapter.formats._base import problem_of
from stream_adapter.formats._published import Ending, Item

from ._asking import Asking, aask, ask
from ._claiming import Place, claiming, present, resuming
from ._following import Follower
from ._options import Work
from ._production import Production
from ._registry import Registry

__all__ = ["Run"]


class Run(Listening):
    """A generator that is started once for its key, goes on without its clients, and can be joined from any worker.

    It is a source for any number of responses, and an iterable, sync and async, of Events. It does nothing until it is
    served, iterated or started; then it begins, or joins the run of its key that is there, and stays with that one.
    Make it by `Broker.run` or `Broker.join`.
    """

    __module__ = "stream_adapter"
    __slots__ = ("_name", "_production", "_registry", "_state", "_status", "_work")

    def __init__(
        self,
        registry: Registry,
        name: ChannelName,
        work: Work | None,
        state: RunState | None = None,
        production: Production | None = None,
    ) -> None:
        self._registry = registry
        self._name = name
        self._work = work
        self._state = state
        self._status: str | None = None  # once its end is known
        self._production = production
        self.log_name: str = f"run {name.public}"

    @property
    def key(self) -> str:
        """What it was started for."""
        return self._name.public

    @property
    def id(self) -> str | None:
        """Its own name among the runs of its key, for `Broker.cancel`; None until it has started."""
        return None if self._state is None else f"{self._name.mark}{self._state.epoch}"

    @property
    def status(self) -> Literal["new", "running", "done", "error", "cancelled", "lost"]:
        """As last known here; `Broker.join` asks the engine."""
        if self._state is None:
            return "new"
        if self._production is not None and self._production.ended.is_set():
            return self._production.status
        return self._status or self._state.status  # type: ignore[return-value]  # those that an Ending has

    def start(self) -> Self:
        """Begin now, with no client; or join the run that is there. Call `astart` on an event loop.

        Raises:
            RunConflictError: one runs, and `if_running` is "reject".
            BrokerUnavailableError: the engine cannot be reached.
        """
        ask(self._beginning())
        return self

    async def astart(self) -> Self:
        """Begin now, on an event loop; see `start`."""
        await self._apart(self._beginning())
        return self

    def _beginning(self) -> Asking[Place | None]:
        """Begin or join, once; return the start of the run, None if it is there no more."""
        if self._state is None:
            assert self._work is not None  # noqa: S101  # one that was joined has a state
            options = self._work.options
            self._registry.check_loop()
            state = yield from claiming(self._registry.engine, self._name, options)
            self._state = state
            if state.granted:
                self._production = self._registry.launch(
                    self._name, state, self._work, lease=options.lease, timeout=options.timeout
                )
            else:
                self._production = self._registry.production(self._name, state)
            return Place(state, 0)
        state_now = yield from present(self._registry.engine, self._name)
        return self._placed(None if state_now is None else Place(state_now, 0))

    def opening(self, cursor: str | None) -> Asking[Place | None]:
        """Return where a client goes on, and begin the run if it has no cursor; None if nothing is left for it."""
        if cursor is None:
            return (yield from self._beginning())
        place = yield from resuming(self._registry.engine, self._name, cursor)
        return self._placed(place)

    def _placed(self, place: Place | None) -> Place | None:
        """Stay with the run that was found first."""
        if place is None or (self._state is not None and self._state.epoch != place.state.epoch):
            return None
        self._state = place.state
        return place

    async def _apart(self, steps: Asking[Place | None]) -> Place | None:
        """Ask in a task of its own: a claim must be followed by its producer, though its request has ended."""
        return await asyncio.shield(self.begin_apart(steps))

    def begin_apart(self, steps: Asking[Place | None]) -> asyncio.Task[Place | None]:
        """Ask in a task that no request owns."""
        task = asyncio.get_running_loop().create_task(aask(self._registry.engine, steps))
        self._registry.keep(task)
        return task

    def follow(self, place: Place) -> Following:
        """Return what reads the run from a place on, and is closed in the end."""
        return Following(self, self._registry, self._name, place)

    def note_end(self, ending: Ending) -> None:
        """Note how it has ended."""
        self._status = ending.status

    @property
    def ends_with_its_client(self) -> bool:
        """Whether it is cancelled when its last client of this process has left."""
        return self._work is not None and self._work.options.on_disconnect == "cancel"

    def for_request(self, head: RequestHead) -> AsyncIterator[Item] | Iterator[Item]:
        """Return one client's stream; nothing is begun."""
        return _SyncRunStream(self, head.cursor) if is_gevent() else _RunStream(self, head.cursor)

    def listener(self, cursor: str | None) -> Any:
        """Refuse: a run is opened first."""
        raise NotImplementedError

    def items(self, cursor: str | None) -> Generator[Item]:
        """Read it in this thread."""
        place = ask(self.opening(cursor))
        if place is not None:
            following = self.follow(place)
            try:
                yield from following.items(None)
            finally:
                following.close()

    async def aitems(self, cursor: str | None) -> AsyncGenerator[Item]:
        """Read it on this event loop."""
        place = await self._apart(self.opening(cursor))
        if place is None:
            return
        following = self.follow(place)
        items = following.aitems(None)
        try:
            async for item in items:
                yield item
        finally:
            await items.aclose()
            following.close()

    def event_of(self, item: object) -> Event:
        """Return an item as Python code reads it; the last one is "stream-end", or the "error" of a run that failed."""
        if not isinstance(item, Ending):
            return super().event_of(item)
        if item.is_failure:
            return Event(problem_of(item), "error", item.id, self.key, item.time)
        return Event({"status": item.status}, "stream-end", item.id, self.key, item.time)

    def __repr__(self) -> str:
        return f"<Run {self.key!r} {self.status}>"


class Following(Listening):
    """A run from one client's place on. It counts as a client until it is closed."""

    __slots__ = ("_has_left", "_is_over", "_name", "_place", "_registry", "_run")

    def __init__(self, run: Run, registry: Registry, name: ChannelName, place: Place) -> None:
        self._run = run
        self._registry = registry
        self._name = name
        self._place = place
        self._is_over = self._has_left = False
        self.log_name: str = run.log_name
        registry.entered(name.key, place.state.epoch)

    def listener(self, cursor: str | None) -> tuple[Follower, LoopWaiter | ThreadWaiter]:
        """Make a listener that runs here."""
        del cursor
        watchdog = self._registry.watchdog()
        waiter = watchdog.hub.waiter()
        return Follower(watchdog, self._name, self._place, waiter, self._on_end), waiter

    def _on_end(self, ending: Ending) -> None:
        self._is_over = True
        self._run.note_end(ending)

    def close(self) -> None:
        """Leave the run. Does nothing the second time."""
        if self._has_left:
            return
        self._has_left = True
        cancels = self._run.ends_with_its_client and not self._is_over and not is_draining()
        self._registry.left(self._name.key, self._place.state.epoch, cancels=cancels)


class _RunStream(AsyncStream, OpenedSource):
    """One request's stream of a run, which is opened before the head of the response is decided."""

    __slots__ = ("_following", "_is_closed", "_opening", "_run")

    def __init__(self, run: Run, cursor: str | None) -> None:
        super().__init__(run, cursor)
        self._run = run
        self._following: Following | None = None
        self._opening: asyncio.Task[Place | None] | None = None
        self._is_closed = False

    def open(self) -> bool:
        """Begin or join the run, in a server's thread; return False if the client has all of it."""
        return self._opened(ask(self._run.opening(self._cursor)))

    async def aopen(self) -> bool:
        """Begin or join the run on an event loop. It begins even if the request ends before this returns."""
        self._opening = self._run.begin_apart(self._run.opening(self._cursor))
        try:
            return self._opened(await asyncio.shield(self._opening))
        except asyncio.CancelledError:
            self._opening.add_done_callback(self._left_early)
            raise

    def _opened(self, place: Place | None) -> bool:
        if place is None:
            return False
        self._listening = self._following = self._run.follow(place)
        return True

    def _left_early(self, opening: asyncio.Task[Place | None]) -> None:
        if not opening.cancelled() and opening.exception() is None and self._following is None:
            place = opening.result()
            if place is not None:
                self._run.follow(place).close()

    def close(self) -> None:
        """Leave the run."""
        super().close()
        if self._following is not None:
            self._following.close()


class _SyncRunStream(SyncStream, OpenedSource):
    """One request's stream of a run, where threads are greenlets."""

    def __init__(self, run: Run, cursor: str | None) -> None:
        super().__init__(run, cursor)
        self._run = run
        self._cursor = cursor
        self._following: Following | None = None

    def open(self) -> bool:
        """Begin or join the run; return False if the client has all of it."""
        place = ask(self._run.opening(self._cursor))
        if place is None:
            return False
        self._following = self._run.follow(place)
        self._items = self._following.items(None)
        return True

    async def aopen(self) -> bool:
        """Refuse: greenlets have no event loop."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave the run."""
        super().close()
        if self._following is not None:
            self._following.close()
