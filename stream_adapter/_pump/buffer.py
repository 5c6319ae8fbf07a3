"""The buffer between a producer and a consumer: chunks that are ready. Pure: it neither waits nor wakes.

The producer puts and the consumer takes. Each field is written by one side only, so the two sides can run in different
threads without a lock (list.append, a slice and a del of a slice are atomic in CPython):

    producer    items (append), put_bytes, frames, ended, error
    consumer    items (from the front), taken_bytes, taken_count

A hot loop appends to `items` itself, and counts down, by the bytes of each chunk, what `credit` has returned to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Buffer"]


@dataclass(slots=True, eq=False, repr=False)
class Buffer:
    """A bounded queue of chunks.

    Args:
        high_water: bytes at which it is full.
        max_items: chunks at which it is full.
    """

    high_water: int
    max_items: int
    items: list[bytes] = field(default_factory=list[bytes])
    put_bytes: int = 0
    frames: int = 0
    taken_bytes: int = 0
    taken_count: int = 0
    ended: bool = False
    error: BaseException | None = None

    @property
    def count(self) -> int:
        """The number of chunks put so far, taken or not."""
        return self.taken_count + len(self.items) - self.frames

    def credit(self, appended: int) -> int:
        """Account for appended bytes; return how many may follow before the next call, 0 if the buffer is full.

        One number bounds the chunks as well: each has a byte at least, or counts as one byte (`empty_chunk`).
        """
        self.put_bytes += appended
        return max(0, min(self.high_water - (self.put_bytes - self.taken_bytes), self.max_items - len(self.items)))

    def empty_chunk(self) -> int:
        """Return what an empty chunk takes of the credit: a byte, which is not accounted for."""
        self.put_bytes -= 1
        return 1

    def put(self, chunk: bytes) -> bool:
        """Append a chunk; return True if the buffer is full now."""
        self.items.append(chunk)
        self.put_bytes += len(chunk)
        return self.is_full()

    def put_all(self, chunks: list[bytes]) -> None:
        """Append chunks, however full it is."""
        self.items += chunks
        self.put_bytes += sum(map(len, chunks))

    def put_frame(self, frame: bytes) -> None:
        """Append bytes that are not a chunk of the source: the end of a format."""
        self.frames += 1
        self.put(frame)

    def is_full(self) -> bool:
        """Return True if the source must pause."""
        return self.put_bytes - self.taken_bytes >= self.high_water or len(self.items) >= self.max_items

    def take(self) -> list[bytes]:
        """Remove and return all that is ready, chunk by chunk."""
        batch = self._remove()
        self.taken_bytes += sum(map(len, batch))
        return batch

    def take_joined(self) -> bytes:
        """Remove and return all that is ready, as one block."""
        if len(self.items) == 1:
            block = self.items.pop(0)  # the first: another thread may append
            self.taken_count += 1
        else:
            block = b"".join(self._remove())
        self.taken_bytes += len(block)
        return block

    def _remove(self) -> list[bytes]:
        items = self.items
        batch = items[:]
        del items[: len(batch)]
        self.taken_count += len(batch)
        return batch

    def end(self, error: BaseException | None = None) -> None:
        """Mark the end: the source is exhausted or failed, and is closed."""
        self.error = error
        self.ended = True
