"""What operators see of a broker."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BrokerStats"]


@dataclass(frozen=True, slots=True)
class BrokerStats:
    """Counts of one process, since the broker was made or the process forked.

    Attributes:
        listeners: subscriptions that are being read, counted in each of their channels.
        channels: that are watched.
        published: events.
        publish_seconds: that publishing has taken, of all events together.
        publish_errors: calls that failed.
        received: events that arrived for listeners.
        lag: seconds between the newest such event's publishing and its arrival.
        resets: of listeners, by reason.
        reconnects: of the engine.
        is_connected: False while the engine's connection is lost.
    """

    listeners: int = 0
    channels: int = 0
    published: int = 0
    publish_seconds: float = 0.0
    publish_errors: int = 0
    received: int = 0
    lag: float = 0.0
    resets: dict[str, int] = field(default_factory=dict[str, int])
    reconnects: int = 0
    is_connected: bool = True
