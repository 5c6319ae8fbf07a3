"""The newest events of one channel in one process, contiguous by offset. Listeners are cursors into it."""

from __future__ import annotations

from collections.abc import Iterable

from stream_adapter.engines import Entry, Page

from ._ids import ChannelName
from ._records import Record

__all__ = ["Ring"]

_MAX_RECORDS = 1000
_MAX_BYTES = 1 << 20


class Ring:
    """Records of one epoch, `first` to `top`. Written under the hub's lock, read without one.

    A reader looks a record up by its offset, and finds it, or None where it was dropped; a new ring takes the place of
    one that broke, so that a reader never takes a record of another epoch for its next.

    Attributes:
        epoch: of all records.
        top: offset of the newest event that was seen.
        first: offset of the oldest record; `top + 1` while there are not any.
        floor: what `first` was in the beginning: records before it were lost, those after it were dropped by the ring.
        is_restart: whether the store has lost events of this epoch that had been seen.
    """

    __slots__ = ("_bytes", "_early", "_name", "_records", "epoch", "first", "floor", "is_restart", "top")

    def __init__(self, name: ChannelName, epoch: str, top: int, *, is_restart: bool = False) -> None:
        self.is_restart: bool = is_restart
        self._name = name
        self.epoch: str = epoch
        self.top: int = top
        self.first: int = top + 1
        self.floor: int = top + 1
        self._records: dict[int, Record] = {}
        self._bytes = 0
        self._early: dict[int, Entry] = {}  # came before those that they follow

    def after(self, offset: int, most: int) -> list[Record]:
        """Return up to `most` records after `offset`, as far as they are contiguous."""
        get = self._records.get
        record = get(offset + 1)
        if record is None:
            return []
        found = [record]
        last = min(self.top, offset + most)
        while record.entry.offset < last and (record := get(record.entry.offset + 1)) is not None:
            found.append(record)
        return found

    def add(self, entries: Iterable[Entry]) -> bool:
        """Append what follows the top, and keep what comes too early; return True if a hole is left."""
        for entry in entries:
            if entry.offset == self.top + 1:
                self._append(entry)
            elif entry.offset > self.top and len(self._early) < _MAX_RECORDS:
                self._early[entry.offset] = entry
        if not self._early:
            return False
        while self.top + 1 in self._early:
            self._append(self._early.pop(self.top + 1))
        self._early = {offset: entry for offset, entry in self._early.items() if offset > self.top}
        return bool(self._early)

    def _append(self, entry: Entry) -> None:
        offset = entry.offset
        self._records[offset] = Record(self._name, self.epoch, entry)
        self.top = offset
        self._bytes += len(entry.payload)
        while len(self._records) > _MAX_RECORDS or (self._bytes > _MAX_BYTES and len(self._records) > 1):
            self._bytes -= self._records[self.first].size
            oldest = self.first
            self.first += 1  # first: a reader that finds none looks whether it fell off
            del self._records[oldest]

    def records_of(self, page: Page) -> list[Record]:
        """Return a page's records: the ring's own where it has them, so that what is encoded is shared."""
        return [self._records.get(entry.offset) or Record(self._name, page.epoch, entry) for entry in page.entries]

    def prepend(self, records: list[Record]) -> None:
        """Keep older records, if they reach up to the oldest and there is room."""
        older = [record for record in records if record.entry.offset < self.first]
        size = sum(record.size for record in older)
        if not older or older[-1].entry.offset != self.first - 1:
            return
        if len(self._records) + len(older) <= _MAX_RECORDS and self._bytes + size <= _MAX_BYTES:
            self._records.update((record.entry.offset, record) for record in older)
            self._bytes += size
            self.first = older[0].entry.offset
