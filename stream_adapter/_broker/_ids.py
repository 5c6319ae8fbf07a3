"""Ids of events: `<epoch>.<offset>`, and several channels' joined by `~`. Clients send them back as their cursor.

The epoch on the wire begins with a mark of its channel, so an id of another channel never fits, whatever the engine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from stream_adapter.engines import Position

__all__ = ["MAX_CHANNELS", "ChannelName", "cursors_of"]

MAX_CHANNELS = 16  # of one subscription
_LONGEST = 256  # characters of one id
_ID = re.compile(r"(\w{3})([\w-]{1,64})\.(0|[1-9][0-9]{0,15})", re.ASCII)
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A channel: its public name, its name in the engine, and its mark in ids."""

    public: str
    key: str
    mark: str

    @classmethod
    def of(cls, prefix: str, channel: object, label: str = "channel") -> ChannelName:
        """Check a user's channel name, which cannot leave the prefix: a prefix has no colon.

        Raises:
            ValueError: it is empty, too long, or holds a character that cannot be printed.
            TypeError: it is not text.
        """
        if not isinstance(channel, str):
            raise TypeError(f"{label}: expected text, got {type(channel).__name__}")
        channel = str.__str__(channel)
        if not 1 <= len(channel) <= 255 or not channel.isprintable():
            shown = repr(channel[:40]) + ("…" if len(channel) > 40 else "")
            raise ValueError(f"{label}: expected 1 to 255 printable characters, got {shown}")
        return _named(prefix, channel)

    def id_of(self, epoch: str, offset: int) -> str:
        """Return the id of a position."""
        return f"{self.mark}{epoch}.{offset}"


@lru_cache(1024)
def _named(prefix: str, channel: str) -> ChannelName:
    key = f"{prefix}:{channel}"
    number = int.from_bytes(blake2b(key.encode(), digest_size=4).digest())
    mark = "".join(_LETTERS[number // 63**place % 63] for place in range(3))
    return ChannelName(channel, key, mark)


def cursors_of(cursor: str, names: Sequence[ChannelName]) -> list[Position | None]:
    """Return the position of each channel in a client's cursor; None where it has none, or one that no event had."""
    parts = cursor.split("~") if len(cursor) <= (_LONGEST + 1) * MAX_CHANNELS else []
    if len(parts) > MAX_CHANNELS:
        parts = []
    found: list[tuple[str, Position]] = []
    for part in parts:
        match = _ID.fullmatch(part) if len(part) <= _LONGEST else None
        found.append((match[1], Position(match[2], int(match[3]))) if match else ("", Position("", 0)))
    positions: list[Position | None] = []
    for index, name in enumerate(names):
        at_its_place = found[index : index + 1] if len(found) == len(names) else []
        positions.append(next((place for mark, place in (*at_its_place, *found) if mark == name.mark), None))
    return positions
