"""Microseconds a request, in this process, where there is next to nothing to stream: what a stream costs to set up.

Under ASGI each is measured with two scopes. With one of spec 2.3, as uvicorn and granian have it, Starlette watches
`receive` in a task group. With one of spec 2.4, as gunicorn has it, Starlette waits for `send` to raise instead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from benchmarks.calls import SPEC_VERSION, Call, call_of
from benchmarks.contenders import PATHS, Contender, Path, entered
from benchmarks.rounds import take_turns
from benchmarks.table import Goal, Table

__all__ = ["measure"]

_REQUESTS = 200
_SPEC_2_4 = "2.4"
_CHUNKS = {"1": "1 chunk", "10": "10", "1 of 2.4": "1, spec 2.4", "whole": "body"}
_AT_MOST = 1.1  # of the framework's own
_AT_MOST_OF_STARLETTE = {"async": 1.0, "sync": 0.25}


def measure(requests: int, rounds: int) -> Iterator[Table]:
    """Measure a generator of one item and one of ten on each path, and a body of one chunk.

    Args:
        requests: in one round, at most.
        rounds: how many.
    """
    requests = min(requests, _REQUESTS)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()  # not runner.run, which takes and gives back SIGINT each time
        for path in PATHS:
            contenders = [each for each in entered(path) if "events" not in each.name]
            runs: dict[tuple[str, str], tuple[Callable[[], object], int]] = {}
            for contender in contenders:
                for what, run in _requests(contender, path, loop, requests).items():
                    runs[contender.name, what] = run, requests
                    run()
            timings = take_turns(runs, rounds, clock=time.process_time)
            yield _table(path, contenders, {key: timing.best for key, timing in timings.items()})


def _requests(
    contender: Contender, path: Path, loop: asyncio.AbstractEventLoop, times: int
) -> dict[str, Callable[[], None]]:
    """Return what is measured of a contender, by what it is."""
    call = call_of(contender, path.protocol, loop)
    runs = {count: _repeat(call, f"/{path.source}/{count}", times) for count in ("1", "10")}
    if path.protocol == "asgi":
        newer = call_of(contender, path.protocol, loop, spec_version=_SPEC_2_4)
        runs["1 of 2.4"] = _repeat(newer, f"/{path.source}/1", times)
    if contender.role not in {"floor", "bare"}:
        runs["whole"] = _repeat(call, "/whole", times)
    return runs


def _repeat(call: Call, path: str, times: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            call(path)

    return run


def _table(path: Path, contenders: list[Contender], best: dict[tuple[str, str], float]) -> Table:
    """Lay out what was measured on one path, and how it stands to what the framework does by itself."""
    measured = {what: name for what, name in _CHUNKS.items() if what in {each for _, each in best}}
    about = f", spec {SPEC_VERSION}" if path.protocol == "asgi" else ""
    table = Table(f"{path.name}, start-up{about}: µs per request", ["", *measured.values()])
    table.columns += [f"{name}, x own" for name in measured.values()]
    for contender in contenders:
        own = _own(contender, path)
        taken = [best.get((contender.name, what)) for what in measured]
        ratios = [_ratio(best, contender.name, own, what) for what in measured]
        table.rows.append([contender.name, *(None if each is None else each * 1e6 for each in taken), *ratios])
        if own is None:
            continue
        at_most = _AT_MOST if contender.own else _AT_MOST_OF_STARLETTE[path.source]
        for what, ratio in zip(measured, ratios, strict=True):
            if ratio is not None and (contender.own or what != "whole"):
                table.goals.append(Goal(f"{contender.name} / {own}, {measured[what]}", ratio, at_most))
    return table


def _own(contender: Contender, path: Path) -> str | None:
    """Return the name of the response that a contender is compared with: its framework's, or Starlette's."""
    return "Starlette" if contender.name == "Response" and path.protocol == "asgi" else contender.own


def _ratio(best: dict[tuple[str, str], float], name: str, own: str | None, what: str) -> float | None:
    of_own = best.get((own or "", what))
    return None if of_own is None or (name, what) not in best else best[name, what] / of_own
