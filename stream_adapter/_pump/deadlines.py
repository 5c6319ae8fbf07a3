"""The deadlines of a stream: idle_timeout, total_timeout and keepalive. Pure: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from stream_adapter.errors import StreamTimeoutError

if TYPE_CHECKING:
    from stream_adapter._limits import Limits

__all__ = ["Deadlines"]


class Deadlines:
    """The deadlines of one stream. All times are seconds of one monotonic clock.

    Args:
        limits: the deadlines.
        now: when the stream started.

    Attributes:
        keepalive: seconds without output after which a keepalive is sent, once the stream is committed; None for never.
        last_item_at: when the source last yielded.
        last_sent_at: when something was last sent.
    """

    __slots__ = ("_idle", "_total", "_total_at", "keepalive", "last_item_at", "last_sent_at")

    def __init__(self, limits: Limits, now: float) -> None:
        self._idle = limits.idle_timeout
        self._total = limits.total_timeout
        self._total_at = None if limits.total_timeout is None else now + limits.total_timeout
        self.keepalive: float | None = None
        self.last_item_at = now
        self.last_sent_at = now

    @property
    def any_set(self) -> bool:
        """Whether any deadline is set."""
        return not (self._idle is None and self._total is None and self.keepalive is None)

    def time_left(self, now: float) -> float | None:
        """Return the seconds until the next deadline; None without one."""
        at = self._total_at
        if self._idle is not None and (at is None or self.last_item_at + self._idle < at):
            at = self.last_item_at + self._idle
        if self.keepalive is not None and (at is None or self.last_sent_at + self.keepalive < at):
            at = self.last_sent_at + self.keepalive
        return None if at is None else max(0.0, at - now)

    def sent(self, now: float) -> None:
        """Note that items were sent.

        Raises:
            StreamTimeoutError: total_timeout has passed.
        """
        self.last_item_at = self.last_sent_at = now
        if self._total_at is not None and now >= self._total_at:
            raise StreamTimeoutError("total_timeout", self._total or 0)

    def check(self, now: float) -> Literal["keepalive"] | None:
        """Return "keepalive" if one is due.

        Raises:
            StreamTimeoutError: idle_timeout or total_timeout has passed.
        """
        if self._total_at is not None and now >= self._total_at:
            raise StreamTimeoutError("total_timeout", self._total or 0)
        if self._idle is not None and now >= self.last_item_at + self._idle:
            raise StreamTimeoutError("idle_timeout", self._idle)
        if self.keepalive is not None and now >= self.last_sent_at + self.keepalive:
            return "keepalive"
        return None
