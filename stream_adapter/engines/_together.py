"""What an engine is asked for several channels at once: in one round trip, if it has a method for that.

The protocol `Engine` lacks these three methods: an engine without them is asked for one channel after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias, cast

from stream_adapter.errors import FencedError

from ._protocol import Engine
from ._values import Page, RunState

__all__ = [
    "Reading",
    "ReadsTogether",
    "Renewal",
    "RenewsTogether",
    "WatchesTogether",
    "read_each",
    "read_many",
    "renew_each",
    "renew_many",
    "watch_each",
    "watch_many",
]

Reading: TypeAlias = tuple[str, int | None, int]
"""A channel, and what `Engine.read` returns of it: entries after an offset, or the newest, and how many at most."""

Renewal: TypeAlias = tuple[str, int, float]
"""The channel of a run, its token, and the seconds of its lease."""


class WatchesTogether(Protocol):
    """An engine that watches several channels in one round trip."""

    def watch_many(self, channels: Iterable[str]) -> None:
        """Watch channels, all or none: if it raises, none of them is watched."""
        ...


class ReadsTogether(Protocol):
    """An engine that reads parts of several histories in one round trip."""

    def read_many(self, readings: Iterable[Reading]) -> Sequence[Page]:
        """Return for each what `read` returns."""
        ...


class RenewsTogether(Protocol):
    """An engine that renews several leases in one round trip."""

    def renew_many(self, renewals: Iterable[Renewal]) -> Sequence[RunState | FencedError]:
        """Extend leases; return for each what `renew` returns, or raises as FencedError."""
        ...


def watch_many(engine: Engine, channels: Iterable[str]) -> None:
    """Watch channels, all or none: if it raises, none of them is watched."""
    if hasattr(engine, "watch_many"):  # isinstance takes ten times as long, for each channel that is opened
        cast("WatchesTogether", engine).watch_many(channels)
    else:
        watch_each(engine, channels)


def watch_each(engine: Engine, channels: Iterable[str]) -> None:
    """Watch channels one after the other, all or none."""
    watched: list[str] = []
    try:
        for channel in channels:
            engine.watch(channel)
            watched.append(channel)
    except BaseException:
        for channel in watched:
            engine.unwatch(channel)
        raise


def read_many(engine: Engine, readings: Iterable[Reading]) -> Sequence[Page]:
    """Return for each what `read` returns."""
    if hasattr(engine, "read_many"):
        return cast("ReadsTogether", engine).read_many(readings)
    return read_each(engine, readings)


def read_each(engine: Engine, readings: Iterable[Reading]) -> list[Page]:
    """Read parts of histories one after the other."""
    return [engine.read(*reading) for reading in readings]


def renew_many(engine: Engine, renewals: Iterable[Renewal]) -> Sequence[RunState | FencedError]:
    """Extend the leases of several runs; return for each what `renew` returns, or raises as FencedError.

    Raises:
        ValueError: the engine has given another number of answers.
    """
    if not hasattr(engine, "renew_many"):
        return renew_each(engine, renewals)
    asked = list(renewals)
    found = cast("RenewsTogether", engine).renew_many(asked)
    if len(found) != len(asked):
        raise ValueError(f"renew_many: expected {len(asked)} answers, got {len(found)}")
    return found


def renew_each(engine: Engine, renewals: Iterable[Renewal]) -> list[RunState | FencedError]:
    """Extend leases one after the other."""
    return [_renewed(engine, *renewal) for renewal in renewals]


def _renewed(engine: Engine, channel: str, token: int, lease: float) -> RunState | FencedError:
    try:
        return engine.renew(channel, token, lease=lease)
    except FencedError as error:
        return error
