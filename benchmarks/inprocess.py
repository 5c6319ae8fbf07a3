"""Microseconds a row, in this process: the whole call, from the request to the last byte, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from benchmarks.calls import Call, call_of
from benchmarks.contenders import PATHS, Path, entered
from benchmarks.rounds import Timing, take_turns
from benchmarks.sources import ROW
from benchmarks.table import Table
from benchmarks.targets import goals_of

__all__ = ["measure", "per_row_table", "rows_for"]

_PATIENCE = 0.5  # seconds that one run may take: what is slower gets fewer rows, for a ratio needs no more


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure the four paths."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()  # not runner.run, which takes and gives back SIGINT each time
        for path in PATHS:
            runs: dict[str, tuple[Callable[[], object], int]] = {}
            starts: dict[str, tuple[Callable[[], object], int]] = {}
            for contender in entered(path):
                _check(call_of(contender, path.protocol, loop, counted=True), path, min(rows, 1000))
                call = call_of(contender, path.protocol, loop)
                count = rows_for(call, path, rows)
                runs[contender.name] = partial(call, f"/{path.source}/{count}"), count
                starts[contender.name] = partial(call, f"/{path.source}/1"), 1
            begun = {name: timing.best for name, timing in take_turns(starts, rounds, clock=time.process_time).items()}
            timings = take_turns(runs, rounds, clock=time.process_time)
            counts = {name: count for name, (_, count) in runs.items()}
            yield per_row_table(f"{path.name}, in process", path, timings, counts, begun)


def _check(call: Call, path: Path, rows: int) -> None:
    """Check that all rows arrive: dropping some would be fast."""
    size = call(f"/{path.source}/{rows}")
    if size < rows * len(ROW):
        raise RuntimeError(f"{path.name}: {size} bytes of {rows * len(ROW)} arrived")


def rows_for(call: Call, path: Path, rows: int) -> int:
    """Return how many rows one run has, by the better of two short ones: the first may import modules."""
    few = max(rows // 50, 1)
    seconds = take_turns({"": (partial(call, f"/{path.source}/{few}"), few)}, 2)[""].best
    return rows if seconds * rows < _PATIENCE else few


def per_row_table(
    title: str,
    path: Path,
    timings: Mapping[str, Timing],
    counts: Mapping[str, int],
    begun: Mapping[str, float] = MappingProxyType({}),
) -> Table:
    """Lay out what each contender takes for a row, and how it stands to the floor and to a framework's own.

    Args:
        title: of the table.
        path: whose contenders they are.
        timings: by contender.
        counts: rows of one run, by contender.
        begun: seconds that a stream of one row takes. An integration is compared with the plain Response without
            them, for they are its framework's request, whatever the rows cost.
    """
    table = Table(f"{title}: µs per row", ["", "best", "median", "x floor", "÷ own", "rows"])
    floor = timings["floor"].best
    for contender in entered(path):
        timing = timings[contender.name]
        own = timings.get(contender.own or "")
        table.rows.append(
            [
                contender.name,
                timing.best * 1e6,
                timing.median * 1e6,
                timing.best / floor,
                None if own is None else own.best / timing.best,
                str(counts[contender.name]),
            ]
        )
    row_alone = {name: timing.best - begun.get(name, 0) / counts[name] for name, timing in timings.items()}
    table.goals.extend(goals_of(path, timings, row_alone))
    return table
