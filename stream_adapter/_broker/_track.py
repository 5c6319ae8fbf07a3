"""A listener's place in one channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from stream_adapter.engines import Position

from ._channel import Channel
from ._ids import ChannelName
from ._records import Record
from ._ring import Ring

__all__ = ["Reason", "Track"]

Reason: TypeAlias = Literal["trimmed", "epoch", "unknown", "slow"]
"""Why a listener is reset."""


class Track:
    """A listener's place in one channel."""

    __slots__ = ("backlog", "channel", "epoch", "name", "offset", "reason", "ring")

    def __init__(self, name: ChannelName) -> None:
        self.name = name
        self.channel: Channel
        self.ring: Ring
        self.epoch: str = ""
        self.offset: int = 0
        self.backlog: Sequence[Record] = ()
        self.reason: Reason | None = None  # why it is to be reset

    def stand(self, position: Position, ring: Ring) -> None:
        """Continue from a position, in the ring that was current when it was looked up."""
        self.epoch, self.offset = position
        self.ring = ring
        self.backlog = ()

    @property
    def id(self) -> str:
        """The id of its place."""
        return self.name.id_of(self.epoch, self.offset)

    def current_ring(self) -> Ring:
        """Return the ring that its channel has now; the channel was opened."""
        ring = self.channel.ring
        if ring is None:
            raise RuntimeError("expected a channel that was opened")
        return ring
