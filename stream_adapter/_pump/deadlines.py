"""What a waiting consumer must do although the source is silent, and when. Pure: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from stream_adapter.errors import StreamTimeoutError

if TYPE_CHECKING:
    from stream_adapter._limits import Limits

__all__ = ["Clock"]


class Clock:
    """The deadlines of one stream. All times are seconds on one monotonic clock.

    Args:
        limits: the deadlines.
        now: the start.

    Attributes:
        keepalive: the longest silence on the wire, once the stream is committed; None if there is nothing to say.
    """

    __slots__ = ("_idle", "_total", "_total_at", "item_at", "keepalive", "sent_at")

    def __init__(self, limits: Limits, now: float) -> None:
        self._idle = limits.idle_timeout
        self._total = limits.total_timeout
        self._total_at = None if limits.total_timeout is None else now + limits.total_timeout
        self.keepalive: float | None = None
        self.item_at = now  # when the source last gave something
        self.sent_at = now  # when something was last sent

    @property
    def runs(self) -> bool:
        """Whether there is any deadline at all."""
        return not (self._idle is None and self._total is None and self.keepalive is None)

    def rest(self, now: float) -> float | None:
        """Return the seconds until the next deadline; None if there is none."""
        times = [at for at in (self._idle_at(), self._total_at, self._keepalive_at()) if at is not None]
        return max(0.0, min(times) - now) if times else None

    def due(self, now: float) -> Literal["keepalive"] | None:
        """Say whether a keepalive is due.

        Raises:
            StreamTimeoutError: the source has been silent, or the stream alive, for too long.
        """
        if self._total_at is not None and now >= self._total_at:
            raise StreamTimeoutError("total_timeout", self._total or 0)
        idle_at = self._idle_at()
        if idle_at is not None and now >= idle_at:
            raise StreamTimeoutError("idle_timeout", self._idle or 0)
        keepalive_at = self._keepalive_at()
        return "keepalive" if keepalive_at is not None and now >= keepalive_at else None

    def _idle_at(self) -> float | None:
        return None if self._idle is None else self.item_at + self._idle

    def _keepalive_at(self) -> float | None:
        return None if self.keepalive is None else self.sent_at + self.keepalive
