"""What an engine reports to, for as long as the broker lives: hubs come and go with forks and drains."""

from __future__ import annotations

from collections.abc import Sequence

from stream_adapter.engines import Entry, Receiver

from ._hub import Hub

__all__ = ["Relay"]


class Relay(Receiver):
    """The receiver of the engine: it forwards to the hub of this process, if there is one."""

    def __init__(self) -> None:
        self.hub: Hub | None = None

    def received(self, channel: str, epoch: str, entries: Sequence[Entry]) -> None:
        if self.hub is not None:
            self.hub.received(channel, epoch, entries)

    def changed(self, channel: str | None = None) -> None:
        if self.hub is not None:
            self.hub.changed(channel)

    def disconnected(self, error: BaseException) -> None:
        if self.hub is not None:
            self.hub.disconnected(error)

    def reconnected(self) -> None:
        if self.hub is not None:
            self.hub.reconnected()
