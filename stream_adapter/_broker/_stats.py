"""What operators see of a broker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["BrokerStats", "PublishCounts", "PublishingCall"]


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


class PublishCounts:
    """The counts of publishing: of one process, since the broker was made or the process forked."""

    __slots__ = ("errors", "published", "seconds")

    def __init__(self) -> None:
        self.published: int = 0
        self.seconds: float = 0.0
        self.errors: int = 0


class PublishingCall:
    """One call that publishes: a context manager that counts how it ends."""

    __slots__ = ("_counts", "_events", "_started")

    def __init__(self, counts: PublishCounts, events: int) -> None:
        self._counts = counts
        self._events = events

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is not None:
            self._counts.errors += 1
            return
        self._counts.published += self._events
        self._counts.seconds += time.perf_counter() - self._started
