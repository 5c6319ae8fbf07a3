"""From the times at which bytes arrived: does it stream, and if not, how is it held back? Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from .probe import Probe, Read

__all__ = ["Timing", "Verdict", "timing_of"]

Verdict = Literal["streams", "blocks", "at the end", "too short", "begun", "headers only", "nothing"]

_PAUSE = 0.02  # seconds without bytes between two bursts
_AT_ONCE = 0.05  # seconds in which a whole body counts as having arrived at one time
_LATE = 0.5  # seconds after which a first byte is late
_BLOCK_BYTES = 2048  # smaller blocks do not come from a buffer
_BLOCK_LINES = 8  # a block with fewer lines may be one chunk of the source
_BUFFERS = (4096, 8192, 16384, 32768, 65536)


@dataclass(frozen=True, slots=True)
class Timing:
    """How a body arrived.

    Attributes:
        verdict: "streams"; "blocks": held until a buffer was full; "at the end": held until it was complete; "too
            short": complete too soon to decide; "begun": some bytes, then silence; "headers only"; "nothing".
        first_byte: seconds from the request to the first byte of the body.
        span: seconds from the first byte to the last.
        reads: how many times bytes arrived.
        gap_median: seconds between two reads.
        gap_most: the longest of these.
        block: with "blocks": the usual number of bytes that arrived together.
        buffer: with "blocks": the buffer of that size.
        torn: with "blocks": whether they end within a line, which the source's own chunks would not do.
    """

    verdict: Verdict
    first_byte: float | None = None
    span: float = 0.0
    reads: int = 0
    gap_median: float | None = None
    gap_most: float | None = None
    block: int | None = None
    buffer: int | None = None
    torn: bool = False


def timing_of(probe: Probe) -> Timing:
    """Return the timing of a probe, from its times alone."""
    reads = [read for read in probe.reads if read.data]
    if not reads:
        verdict: Verdict = "nothing" if probe.headers_at is None else "headers only"
        return Timing("too short" if probe.ended_at is not None else verdict)
    first, last = reads[0].at, reads[-1].at
    gaps = [later.at - earlier.at for earlier, later in pairwise(reads)]
    bursts = _bursts(reads)
    block = None if probe.coding else _block_of(bursts)
    if block is not None:
        verdict = "blocks"
    elif last - first > _AT_ONCE:
        verdict = "streams"
    elif probe.ended_at is None:
        verdict = "begun"
    else:
        verdict = "at the end" if first > _LATE else "too short"
    return Timing(
        verdict,
        first_byte=first,
        span=last - first,
        reads=len(reads),
        gap_median=statistics.median(gaps) if gaps else None,
        gap_most=max(gaps, default=None),
        block=block,
        buffer=None if block is None else next((size for size in _BUFFERS if size >= block), _BUFFERS[-1]),
        torn=block is not None and not all(burst.endswith((b"\n", b"\r")) for burst in bursts[:-1]),
    )


def _bursts(reads: list[Read]) -> list[bytes]:
    bursts = [[reads[0].data]]
    for earlier, later in pairwise(reads):
        if later.at - earlier.at > _PAUSE:
            bursts.append([later.data])
        else:
            bursts[-1].append(later.data)
    return [b"".join(burst) for burst in bursts]


def _block_of(bursts: list[bytes]) -> int | None:
    """Return the size of the bursts if a buffer made them: large, of many lines, and multiples of one size."""
    full = bursts[1:-1] if len(bursts) > 3 else bursts[:-1]  # the first contains headers, the last is the rest
    if len(full) < 2:
        return None
    sizes = [len(burst) for burst in full]
    block = min(sizes)
    alike = all(abs(size - round(size / block) * block) <= block * 0.1 for size in sizes)  # two may arrive as one
    many_lines = all(burst.count(b"\n") >= _BLOCK_LINES for burst in full)
    return block if block >= _BLOCK_BYTES and alike and many_lines else None
