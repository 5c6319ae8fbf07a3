"""What a `Run` does: it begins or joins, once, and opens a stream for each client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, Literal

from stream_adapter._broker._ids import ChannelName
from stream_adapter._broker._listening import AsyncStream, Listening, SyncStream
from stream_adapter._broker._records import Event
from stream_adapter._broker._waiters import is_gevent
from stream_adapter._pump import current_loop
from stream_adapter._request import RequestHead
from stream_adapter._source_protocols import OpenedSource
from stream_adapter.engines import RunState
from stream_adapter.errors import BrokerError
from stream_adapter.formats._base import problem_of
from stream_adapter.formats._published import Ending, Item

from ._asking import Asking, aask, ask
from ._claiming import Place, beginning_in_a_thread, claiming, present, resuming
from ._client import Client
from ._options import Work
from ._production import Production
from ._registry import Registry

__all__ = ["Joining"]

_POLL = 0.01  # seconds between two looks at a run that another client begins


class Joining(Listening):
    """One `Run` object's side of a run: it stays with the run that it met first."""

    __slots__ = ("_beginner", "_production", "_runs", "_state", "_status", "_work", "name")

    def __init__(
        self,
        runs: Callable[[], Registry],
        name: ChannelName,
        work: Work | None,
        state: RunState | None = None,
        production: Production | None = None,
    ) -> None:
        self._runs = runs
        self.name: ChannelName = name
        self._work = work
        self._state = state
        self._status: str | None = None  # once its end is known
        self._production = production
        self._beginner = threading.Lock()  # held while one client begins or joins the run
        self.log_name: str = f"run {name.public}"

    @property
    def _registry(self) -> Registry:
        """The runs of this process: a fork may have made it another one since."""
        return self._runs()

    @property
    def id(self) -> str | None:
        """The run's name among those of its key; None until it has started."""
        return None if self._state is None else f"{self.name.mark}{self._state.epoch}"

    @property
    def status(self) -> Literal["new", "running", "done", "error", "cancelled", "lost"]:
        """The run's, as last known here."""
        if self._state is None:
            return "new"
        if self._production is not None and self._production.ended.is_set():
            return self._production.status
        return self._status or self._state.status  # type: ignore[return-value]  # those that an Ending has

    def start(self) -> None:
        """Begin, or join the run that is there, in this thread."""
        ask(self._beginning())

    async def astart(self) -> None:
        """Begin, or join the run that is there, on this event loop."""
        await self._apart(self._beginning())

    def _beginning(self) -> Asking[Place | None]:
        """Begin or join, once; return the start of the run, None if it is there no more."""
        while self._state is None:
            if self._beginner.acquire(blocking=False):
                try:
                    if self._state is None:
                        return Place((yield from self._begun()), 0)
                finally:
                    self._beginner.release()
            else:  # by another client of this object, whose claim is this one's, too
                yield _POLL
        state_now = yield from present(self._registry, self.name)
        return self._placed(None if state_now is None else Place(state_now, 0))

    def _begun(self) -> Asking[RunState]:
        assert self._work is not None  # noqa: S101  # one that was joined has a state
        options = self._work.options
        self._registry.check_loop()
        if not self._work.is_async:
            yield from beginning_in_a_thread(self._registry, self.name, options)
        state = yield from claiming(self._registry, self.name, options)
        self._state = state
        if state.granted:
            self._production = self._registry.launch(
                self.name, state, self._work, lease=options.lease, timeout=options.timeout
            )
        else:
            self._production = self._registry.production(self.name, state)
        return state

    def opening(self, cursor: str | None) -> Asking[Place | None]:
        """Return where a client goes on, and begin the run if it has no cursor; None if nothing is left for it."""
        if cursor is None:
            return (yield from self._beginning())
        place = yield from resuming(self._registry, self.name, cursor)
        return self._placed(place)

    def _placed(self, place: Place | None) -> Place | None:
        """Stay with the run that was found first."""
        if place is None or (self._state is not None and self._state.epoch != place.state.epoch):
            return None
        self._state, self._status = place.state, None
        return place

    async def opened_apart(self, cursor: str | None) -> Place | None:
        """Open in a task of its own; the run begins even if the client has left by then, and then it counts as left."""
        opening = self._begin_apart(self.opening(cursor))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._left_early)
            raise

    def _left_early(self, opening: asyncio.Task[Place | None]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            place = opening.result()
            if place is not None:
                with suppress(BrokerError):  # it is closed by now, with its runs
                    self.follow(place).close()

    async def _apart(self, steps: Asking[Place | None]) -> Place | None:
        """Ask in a task of its own: a claim must be followed by its producer, though its request has ended."""
        return await asyncio.shield(self._begin_apart(steps))

    def _begin_apart(self, steps: Asking[Place | None]) -> asyncio.Task[Place | None]:
        """Ask in a task that no request owns."""
        task = asyncio.get_running_loop().create_task(aask(self._registry.engine, steps))
        self._registry.keep(task)
        return task

    def follow(self, place: Place) -> Client:
        """Return what reads the run from a place on, and is closed in the end."""
        may_cancel = self._work is not None and self._work.options.on_disconnect == "cancel"
        return Client(self._registry, self.name, place, on_end=self._note_end, may_cancel=may_cancel)

    def _note_end(self, ending: Ending) -> None:
        self._status = ending.status

    def for_request(self, head: RequestHead) -> AsyncIterator[Item] | Iterator[Item]:
        """Return one client's stream; nothing is begun."""
        return _SyncRunStream(self, head.cursor) if is_gevent() else _RunStream(self, head.cursor)

    def listener(self, cursor: str | None) -> Any:
        """Refuse: a run is opened first."""
        raise NotImplementedError

    def items(self, cursor: str | None) -> Generator[Item]:
        """Read it in this thread."""
        if current_loop() is not None:
            raise RuntimeError("this would block the event loop that runs here; use `async for`")
        place = ask(self.opening(cursor))
        if place is not None:
            client = self.follow(place)
            try:
                yield from client.items(None)
            finally:
                client.close()

    async def aitems(self, cursor: str | None) -> AsyncGenerator[Item]:
        """Read it on this event loop."""
        place = await self.opened_apart(cursor)
        if place is None:
            return
        client = self.follow(place)
        items = client.aitems(None)
        try:
            async for item in items:
                yield item
        finally:
            await items.aclose()
            client.close()

    def event_of(self, item: object) -> Event:
        """Return an item as Python code reads it; the last one is "stream-end", or the "error" of a run that failed."""
        if not isinstance(item, Ending):
            return super().event_of(item)
        if item.is_failure:
            return Event(problem_of(item), "error", item.id, self.name.public, item.time)
        return Event({"status": item.status}, "stream-end", item.id, self.name.public, item.time)


class _RunStream(AsyncStream, OpenedSource):
    """One request's stream of a run, which is opened before the head of the response is decided."""

    __slots__ = ("_client", "_joining")

    def __init__(self, joining: Joining, cursor: str | None) -> None:
        super().__init__(joining, cursor)
        self._joining = joining
        self._client: Client | None = None

    def open(self) -> bool:
        """Begin or join the run, in a server's thread; return False if the client has all of it."""
        return self._opened(ask(self._joining.opening(self._cursor)))

    async def aopen(self) -> bool:
        """Begin or join the run on an event loop. It begins even if the request ends before this returns."""
        return self._opened(await self._joining.opened_apart(self._cursor))

    def _opened(self, place: Place | None) -> bool:
        if place is None:
            return False
        self._listening = self._client = self._joining.follow(place)
        return True

    def close(self) -> None:
        """Leave the run."""
        super().close()
        if self._client is not None:
            self._client.close()


class _SyncRunStream(SyncStream, OpenedSource):
    """One request's stream of a run, where threads are greenlets."""

    def __init__(self, joining: Joining, cursor: str | None) -> None:
        super().__init__(joining, cursor)
        self._joining = joining
        self._cursor = cursor
        self._client: Client | None = None

    def open(self) -> bool:
        """Begin or join the run; return False if the client has all of it."""
        place = ask(self._joining.opening(self._cursor))
        if place is None:
            return False
        self._client = self._joining.follow(place)
        self._items = self._client.items(None)
        return True

    async def aopen(self) -> bool:
        """Refuse: greenlets have no event loop."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave the run."""
        super().close()
        if self._client is not None:
            self._client.close()
