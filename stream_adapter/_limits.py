"""Limits of a stream, and the summary of how it ended: plain frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .types import Reason

__all__ = ["Limits", "StreamSummary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bound a stream. Every duration is in seconds; None means no limit.

    Args:
        high_water: bytes that may be ready and not yet taken by the server before the source is paused.
        max_items: chunks that may be ready and not yet taken.
        idle_timeout: the longest wait for the source's next chunk.
        total_timeout: the longest life of the stream.
        send_timeout: the longest time for which the client takes nothing of what waits for it. A client that reads
            slowly but steadily makes progress. Under WSGI it needs a server that shows its socket. A response without
            limits of its own has that of its format: 5 for event streams.
        close_timeout: the longest wait for the source to close.

    Raises:
        ValueError: a limit is zero, negative or not a number.
        TypeError: a limit is not a number at all.
    """

    high_water: int = 65536
    max_items: int = 4096
    idle_timeout: float | None = None
    total_timeout: float | None = None
    send_timeout: float | None = 60.0
    close_timeout: float | None = 5.0

    def __post_init__(self) -> None:
        for name in ("high_water", "max_items"):
            value: object = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"Limits.{name}: expected a whole number, got {type(value).__name__}")
            if value < 1:
                raise ValueError(f"Limits.{name}: expected 1 or more, got {value}")
        for name in ("idle_timeout", "total_timeout", "send_timeout", "close_timeout"):
            check_seconds(f"Limits.{name}", getattr(self, name))


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Raise unless the value is None or a finite positive number of seconds (or 0, if `zero` allows it)."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: expected seconds or None, got {type(value).__name__}")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name}: expected {'0 or more' if zero else 'more than 0'} seconds or None, got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """How a stream ended; `on_close` receives it once, after the source is closed.

    Attributes:
        reason: why it ended.
        error: the exception that ended it, if one did.
        chunks: items taken from the source.
        bytes_sent: body bytes handed to the server.
        time_to_first_chunk: seconds from the start until the first item; None for a stream without items.
        duration: seconds from the start to the end.
    """

    reason: Reason
    error: BaseException | None = None
    chunks: int = 0
    bytes_sent: int = 0
    time_to_first_chunk: float | None = None
    duration: float = 0.0
