"""What the listeners of one channel share in one process; the docstring of `_hub` lists the owners."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from stream_adapter.engines import Page

from ._ids import ChannelName
from ._records import Record
from ._ring import Ring
from ._waiters import LoopGroup, Waiter

__all__ = ["MAX_REPLAY", "Channel", "Read"]

MAX_REPLAY = 1000  # events of a history that one request is sent


class Read(NamedTuple):
    """A part of a channel's history."""

    page: Page
    records: list[Record]
    ring: Ring


class Channel:
    """What the listeners of one channel share.

    Attributes:
        ring: its newest events; None until its position is known.
        by_group: its waiters, and what wakes each, by their loop; None for those of threads.
        observers: called when the engine reports a change, in any thread: those of runs that are produced here.
        listeners: how many there are, and observers.
        opened: done when it is watched and `ring` is there.
    """

    __slots__ = ("by_group", "key", "listeners", "name", "observers", "opened", "reads", "ring")

    def __init__(self, name: ChannelName) -> None:
        self.name: ChannelName = name
        self.key: str = name.key
        self.ring: Ring | None = None
        self.by_group: dict[LoopGroup | None, dict[Waiter, Callable[[], None]]] = {}
        self.observers: dict[Callable[[], object], None] = {}
        self.listeners: int = 0
        self.opened: Future[None] | None = None
        self.reads: dict[tuple[int | None, int], Future[Read]] = {}

    @property
    def count(self) -> int:
        """The number of its listeners, without observers."""
        return self.listeners - len(self.observers)

    def wake(self) -> None:
        """Wake its listeners; under the hub's lock."""
        for group in self.schedule():
            group.call()

    def schedule(self) -> list[LoopGroup]:
        """Wake its listeners in threads, under the hub's lock; return the groups that must be called for the others."""
        called: list[LoopGroup] = []
        for group, waiters in self.by_group.items():
            if group is None:
                for wake in waiters.values():
                    wake()
            elif group.schedule(self):
                called.append(group)
        return called
