"""The items of a broker's channels: each is encoded once per format, and shared by all listeners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

from stream_adapter._encode import Encode
from stream_adapter.errors import ChunkEncodingError

__all__ = ["Ending", "Item", "Opening", "Published"]


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

    def with_data(self, change: Callable[[Any], Any]) -> Published:
        """Return it with other data, for one listener; itself if it holds nothing that was published.

        Args:
            change: given the data, decoded; returns a JSON value.
        """
        del change
        return self

    def chunk(self) -> str:
        """Return it as text of a stream that has no frames; "" if it has none.

        Raises:
            ChunkEncodingError: such a stream cannot carry it.
        """
        raise ChunkEncodingError(
            "expected chunks, got a subscription, whose events need frames: use sse, ndjson, json_seq or json_array"
        )


class Opening(Published):
    """What a stream of a broker begins with, so that its head is sent at once; it may be empty."""

    __slots__ = ()


class Ending:
    """The last item of a run's stream: how the run ended. Each format says so in its own way.

    Attributes:
        status: "done", "error", "cancelled" or "lost".
        id: a client that has it has all of the run.
        time: seconds since 1970, when it ended.
        detail: what else a client may know of a failure; None: nothing.
    """

    __slots__ = ("detail", "id", "status", "time")

    def __init__(self, status: str, event_id: str, time: float, detail: str | None = None) -> None:
        self.status: str = status
        self.id: str = event_id
        self.time: float = time
        self.detail: str | None = detail

    @property
    def is_failure(self) -> bool:
        """Whether the run has not come to its own end."""
        return self.status != "done"


Item: TypeAlias = Published | Ending
