"""A process with the package of one tree, which runs cases by their names: one line of JSON in, one out."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.calls import call_of
from benchmarks.cases import Case, cases_of

__all__ = ["main"]

_TIMES = 6  # that a turn measures: short ones, for the best is one in which nothing else got the processor


def main() -> None:
    """Answer `[name, times]` with the best CPU time of so many calls, or with the error that one raised, as text."""
    cases = cases_of([])
    calls: dict[str, Callable[[], object]] = {}
    with asyncio.Runner() as runner:
        loop = runner.get_loop()  # not runner.run, which takes and gives back SIGINT each time
        for line in sys.stdin:
            name, times = json.loads(line)
            try:
                if name not in calls:
                    calls[name] = _prepared(cases[name], loop)
                answer: object = _seconds(calls[name], times)
            except Exception as error:  # noqa: BLE001  # the parent shows it
                answer = f"{type(error).__name__}: {error}"
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def _prepared(case: Case, loop: asyncio.AbstractEventLoop) -> Callable[[], object]:
    call = partial(call_of(case.contender, case.protocol, loop), case.path)
    call()
    gc.collect()
    gc.freeze()  # the modules of a framework are not looked through before each slot
    return call


def _seconds(call: Callable[[], object], times: int) -> float:
    gc.collect()
    seconds: list[float] = []
    for _ in range(_TIMES):
        begun = time.process_time()
        for _ in range(times):
            call()
        seconds.append(time.process_time() - begun)
    return min(seconds)


if __name__ == "__main__":
    main()
