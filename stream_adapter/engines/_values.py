"""The values that a broker and its engine exchange. They are frozen, and independent of the engine."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "KEY_SECONDS",
    "Append",
    "Entry",
    "Frame",
    "Frames",
    "History",
    "Page",
    "Position",
    "RunState",
    "RunStatus",
    "new_epoch",
]

KEY_SECONDS = 300.0
"""Seconds during which an append with a key that was seen returns the first append's position."""

RunStatus: TypeAlias = Literal["running", "done", "error", "cancelled", "lost"]

_LONGEST = 1e9  # seconds of a history


def new_epoch() -> str:
    """Return a name for a channel's next epoch: 7 letters, digits, `_` and `-`, 42 random bits."""
    return urlsafe_b64encode(os.urandom(6))[:7].decode()  # at once: Redis and PostgreSQL get one with each append


class Position(NamedTuple):
    """A place in a channel: after the entry `offset` of `epoch`.

    Attributes:
        epoch: letters, digits, `_` and `-`; an epoch belongs to one channel and ends when offsets begin again.
        offset: of the entry; 0 is the place before the first one.
    """

    epoch: str
    offset: int


class Frame(NamedTuple):
    """A payload to append: bytes that the engine stores and does not parse.

    Attributes:
        payload: the bytes.
        key: publishes once in `KEY_SECONDS`; None: always. A run's producer gives `<epoch>.<offset>`, the place that
            the frame is to have: an engine need not store that, for it can compare `planned` with the newest offset.
    """

    payload: bytes
    key: str | None = None

    @property
    def planned(self) -> int | None:
        """The offset that a frame of a run is to have."""
        offset = "" if self.key is None else self.key.rpartition(".")[2]
        return int(offset) if offset.isdecimal() else None


Frames: TypeAlias = Sequence[Frame]
"""What one append stores, in order."""


class Append(NamedTuple):
    """What one caller appends; see `Engine.append_many`."""

    channel: str
    frames: Frames
    history: History
    token: int | None

    @property
    def size(self) -> int:
        """The bytes of its payloads."""
        return sum(len(frame.payload) for frame in self.frames)


class Entry(NamedTuple):
    """What was appended.

    Attributes:
        offset: 1, 2, 3 and so on within the epoch, without holes.
        time: seconds since 1970, when it was appended.
        payload: the bytes of the frame.
    """

    offset: int
    time: float
    payload: bytes


class Page(NamedTuple):
    """What `read` returns: entries, and where they stand in the channel, all seen at one moment.

    Attributes:
        epoch: the channel's present epoch.
        top: offset of the newest entry ever appended in it, 0 before the first. It never falls.
        earliest: offset of the oldest entry that is still stored; `top + 1` if none is.
        entries: contiguous, the oldest first.
    """

    epoch: str
    top: int
    earliest: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class History:
    """How much of a channel is kept for clients that reconnect.

    Args:
        count: events.
        age: seconds, of each event.
        bytes: of the stored events together; the newest event is kept in any case.

    Raises:
        ValueError: a bound is not positive, or too large: more than 1,000,000 events, or 1,000,000,000 seconds.
        TypeError: a bound is not a number.
    """

    count: int = 100
    age: float = 300.0
    bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for name, most in (("count", 1_000_000), ("bytes", 1 << 40)):
            value: object = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"history.{name}: expected a whole number, got {type(value).__name__}")
            if not 1 <= value <= most:
                raise ValueError(f"history.{name}: expected 1 to {most}, got {value}")
        age: object = self.age
        if not isinstance(age, (int, float)) or isinstance(age, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"history.age: expected seconds, got {type(age).__name__}")
        if not 0 < age <= _LONGEST:  # stores count in milliseconds
            raise ValueError(f"history.age: expected a positive number of seconds, at most {_LONGEST:.0f}, got {age}")


@dataclass(frozen=True, slots=True)
class RunState:
    """What an engine knows of a channel's newest run.

    Attributes:
        epoch: of the channel while the run writes to it; it names the run.
        token: the fencing token, greater than that of any earlier run of the channel.
        status: "running" until `finish`.
        expires: seconds since 1970 when its lease ends, or when a finished run is forgotten.
        cancelled: whether the producer was asked to end.
        granted: whether the `claim` that returned this began the run.
    """

    epoch: str
    token: int
    status: RunStatus
    expires: float
    cancelled: bool = False
    granted: bool = False
