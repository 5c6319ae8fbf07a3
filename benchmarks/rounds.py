"""Taking turns, so that a machine that drifts does not decide."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Timing", "take_turns"]

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds a unit: of the best round, and of the one in the middle."""

    best: float
    median: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """Sum up the rounds."""
        return cls(min(seconds), statistics.median(seconds))


def take_turns(
    runs: Mapping[Name, tuple[Callable[[], object], int]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Name, Timing]:
    """Run everything once a round, for `rounds` rounds.

    Args:
        runs: by name, what is timed, and how many units (rows, requests) one run of it is.
        rounds: how often.
        clock: what tells the seconds. What runs in this process alone is measured by its CPU time, `time.process_time`,
            so that other work on the machine counts less.
    """
    seconds: dict[Name, list[float]] = {name: [] for name in runs}
    is_frozen = gc.get_freeze_count() > 0  # by the tests, which must not look through what they have imported
    gc.freeze()  # what was imported before: a collection looks at the objects of the runs only
    try:
        for _ in range(rounds):
            for name, (run, units) in runs.items():
                gc.collect()
                begun = clock()
                run()
                seconds[name].append((clock() - begun) / units)
    finally:
        if not is_frozen:
            gc.unfreeze()
    return {name: Timing.of(times) for name, times in seconds.items()}
