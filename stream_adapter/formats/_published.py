"""What a broker's channels carry: items that are encoded once for each format, and then shared by all who listen."""

from __future__ import annotations

from abc import ABC, abstractmethod

from stream_adapter._encode import Encode

__all__ = ["Opening", "Published"]


class Published(ABC):
    """An event with an id, or word of the stream itself. The formats ask it for its form; it may keep that."""

    __slots__ = ()

    @abstractmethod
    def sse(self) -> bytes:
        """Return it as a server-sent event, with its id."""

    @abstractmethod
    def sse_part(self) -> bytes:
        """Return it as a part of a profile, which has no ids; b"" for what no profile knows."""

    @abstractmethod
    def json(self, key: object, encode: Encode) -> bytes:
        """Return it as an item of a JSON format; b"" if it has none.

        Args:
            key: of the format, for what was encoded once serves again; None for a user's own encoder.
            encode: how the format encodes a value.
        """


class Opening(Published):
    """What a stream of a broker begins with, so that its head is sent at once; it may be empty."""

    __slots__ = ()
