"""The window: what is ready and not yet taken. Pure: it neither waits nor wakes.

One side puts, the other takes; each field is written by one side only, which is what lets the two sides stand in
different threads without a lock (list.append, a slice and a del of a slice are atomic in CPython):

    puts:   items (append), put_bytes, count, ended, error
    takes:  items (remove from the front), taken_bytes
"""

from __future__ import annotations

__all__ = ["Window"]


class Window:
    """A bounded line of chunks.

    Args:
        high_water: bytes at which it is full.
        max_items: chunks at which it is full.
    """

    __slots__ = ("count", "ended", "error", "high_water", "items", "max_items", "put_bytes", "taken_bytes")

    def __init__(self, high_water: int, max_items: int) -> None:
        self.high_water = high_water
        self.max_items = max_items
        self.items: list[bytes] = []
        self.put_bytes = 0
        self.taken_bytes = 0
        self.count = 0
        self.ended = False
        self.error: BaseException | None = None

    def put(self, chunk: bytes) -> bool:
        """Add a chunk and say whether the window is full now."""
        items = self.items
        items.append(chunk)
        self.count += 1
        self.put_bytes += len(chunk)
        return self.put_bytes - self.taken_bytes >= self.high_water or len(items) >= self.max_items

    def append(self, frame: bytes) -> None:
        """Add bytes that are no chunk of the source's: what the format ends with."""
        self.items.append(frame)
        self.put_bytes += len(frame)

    def is_full(self) -> bool:
        """Say whether the source must pause."""
        return self.put_bytes - self.taken_bytes >= self.high_water or len(self.items) >= self.max_items

    def take(self) -> list[bytes]:
        """Remove and return all that is ready."""
        items = self.items
        batch = items[:]
        del items[: len(batch)]
        self.taken_bytes += sum(map(len, batch))
        return batch

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing follows: the source is exhausted, or failed, and is closed."""
        self.error = error
        self.ended = True
