r"""The last record of a run. It is stored as any other, with a kind of its own: `x{"s":"done"}\n`."""

from __future__ import annotations

from typing import Any

import orjson

from stream_adapter._broker._payloads import ENDING
from stream_adapter._broker._records import Record
from stream_adapter.engines import Frame, RunStatus
from stream_adapter.formats._published import Ending

__all__ = ["ending_of", "frame_of_end", "is_ending"]

_STATUSES = frozenset({"done", "error", "cancelled", "lost"})


def frame_of_end(status: RunStatus, detail: str | None = None) -> Frame:
    """Return what is stored of a run's end. A detail is our own text, never an exception's."""
    meta = {"s": status} if detail is None else {"s": status, "d": detail}
    return Frame(b"%b%b\n" % (ENDING, orjson.dumps(meta)))


def is_ending(record: Record) -> bool:
    """Return True if a record is the end of its run."""
    return record.entry.payload.startswith(ENDING)


def ending_of(record: Record) -> Ending | None:
    """Return the end that a record stands for; None for an item."""
    if not is_ending(record):
        return None
    try:
        meta: Any = orjson.loads(record.entry.payload[len(ENDING) :])
    except orjson.JSONDecodeError:
        meta = {}
    status, detail = meta.get("s"), meta.get("d")
    return Ending(status if status in _STATUSES else "error", record.id, record.entry.time, detail)
