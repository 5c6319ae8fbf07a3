"""How far a request's body is received ahead of its application. Pure: it neither waits nor receives.

An ASGI server reports a disconnect only after everything that the client sent before it has been received. So an
application that leaves its body unread while it streams would not notice a disconnect, unless the library receives the
body for it:

    at once       up to 64 KiB
    beyond that   one more part after 0.1 s, 0.2 s, 0.4 s, …, so that hours of an unread body cost little memory
    after 51 s    in which the application could have read and did not, everything: what arrives is discarded, and to
                  read is an error from then on, never a body that is silently too short
"""

from __future__ import annotations

__all__ = ["DISCARDED", "ReadAhead"]

_HIGH_WATER = 65536  # bytes received and not yet read
_FIRST_PAUSE = 0.1  # seconds
_MAX_PAUSES = 9  # 0.1 + 0.2 + … + 25.6 = 51 s

DISCARDED = (
    "request body: discarded, because the application read nothing of it for 51 s while it streamed its response; "
    "read it before the response begins, or while it is sent"
)


class ReadAhead:
    """The account of one request's body. `read` may be called in another thread than everything else.

    Attributes:
        discards: whether the body is no longer kept.
    """

    __slots__ = ("_pauses", "_read", "_received", "_seen", "discards")

    def __init__(self) -> None:
        self._received = self._read = 0  # bytes; the receiver's and the reader's, one writer each
        self._seen = 0  # what had been read when a pause began
        self._pauses = 0
        self.discards = False

    def received(self, size: int) -> None:
        """Account for a part that is kept."""
        self._received += size

    def read(self, size: int) -> None:
        """Account for what the application has read."""
        self._read += size

    @property
    def pause(self) -> float:
        """Seconds to wait before the next part is received, unless the application reads before; 0 for none."""
        if self.discards or self._received - self._read < _HIGH_WATER:
            return 0.0
        if self._read != self._seen:
            self._seen, self._pauses = self._read, 0
        return _FIRST_PAUSE * 2.0**self._pauses

    def paused(self, *, could_read: bool) -> None:
        """Account for a pause, if the application has read nothing during it.

        Args:
            could_read: whether it was free to; False while it waits for its client to take what it has sent.
        """
        if self._read == self._seen:
            self._pauses += 1
            self.discards = could_read and self._pauses >= _MAX_PAUSES
