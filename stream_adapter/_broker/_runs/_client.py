"""One client of a run in this process: it counts as one until it has left."""

from __future__ import annotations

from collections.abc import Callable

from stream_adapter._broker._ids import ChannelName
from stream_adapter._broker._listening import Listening
from stream_adapter._broker._waiters import LoopWaiter, ThreadWaiter
from stream_adapter._lifecycle import is_draining
from stream_adapter.formats._published import Ending

from ._claiming import Place
from ._following import Follower
from ._registry import Registry

__all__ = ["Client"]


class Client(Listening):
    """A run from one client's place on. It counts as a client until it is closed.

    Args:
        registry: of the runs of this process.
        name: the run's channel.
        place: after which it reads.
        on_end: called with the run's end.
        may_cancel: whether the run is cancelled if it leaves early, as the last one of this process.
    """

    __slots__ = ("_has_left", "_is_over", "_may_cancel", "_name", "_on_end", "_place", "_registry")

    def __init__(
        self,
        registry: Registry,
        name: ChannelName,
        place: Place,
        *,
        on_end: Callable[[Ending], object],
        may_cancel: bool,
    ) -> None:
        self._registry = registry
        self._name = name
        self._place = place
        self._on_end = on_end
        self._may_cancel = may_cancel
        self._is_over = self._has_left = False
        self.log_name: str = f"run {name.public}"
        registry.entered(name.key, place.state.epoch)

    def listener(self, cursor: str | None) -> tuple[Follower, LoopWaiter | ThreadWaiter]:
        """Make a listener that runs here."""
        del cursor
        watchdog = self._registry.watchdog()
        waiter = watchdog.hub.waiter()
        return Follower(watchdog, self._name, self._place, waiter, self._end), waiter

    def _end(self, ending: Ending) -> None:
        self._is_over = True
        self._on_end(ending)

    def close(self) -> None:
        """Leave the run. Does nothing the second time."""
        if self._has_left:
            return
        self._has_left = True
        cancels = self._may_cancel and not self._is_over and not is_draining()
        self._registry.left(self._name.key, self._place.state.epoch, cancels=cancels)
