"""`Run`, the public object: a source for responses, an iterable of events, and the state of the run."""

from __future__ import annotations

from typing import Literal, Self

from stream_adapter._broker._listening import EventSource

from ._joining import Joining

__all__ = ["Run"]


class Run(EventSource[Joining]):
    """A generator that is started once for its key, goes on without its clients, and can be joined from any worker.

    It is a source for any number of responses, and an iterable, sync and async, of Events. It does nothing until it is
    served, iterated or started; then it begins, or joins the run of its key that is there, and stays with that one.
    Make it by `Broker.run` or `Broker.join`.
    """

    __module__ = "stream_adapter"
    __slots__ = ()

    @property
    def key(self) -> str:
        """What it was started for."""
        return self._opener.name.public

    @property
    def id(self) -> str | None:
        """Its own name among the runs of its key, for `Broker.cancel`; None until it has started."""
        return self._opener.id

    @property
    def status(self) -> Literal["new", "running", "done", "error", "cancelled", "lost"]:
        """As last known here; `Broker.join` asks the engine."""
        return self._opener.status

    def start(self) -> Self:
        """Begin now, with no client; or join the run that is there. Call `astart` on an event loop.

        Raises:
            RunConflictError: one runs, and `if_running` is "reject".
            CapacityError: the factory needs a thread, and all of `configure(max_threads=…)` are taken.
            BrokerUnavailableError: the engine cannot be reached.
        """
        self._opener.start()
        return self

    async def astart(self) -> Self:
        """Begin now, on an event loop; see `start`."""
        await self._opener.astart()
        return self

    def __repr__(self) -> str:
        return f"<Run {self.key!r} {self.status}>"
