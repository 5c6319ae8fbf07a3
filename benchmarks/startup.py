"""Microseconds a request, in this process, where there is next to nothing to stream: what a stream costs to set up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from benchmarks.calls import Call, call_of
from benchmarks.contenders import PATHS, entered
from benchmarks.rounds import take_turns
from benchmarks.table import Table

__all__ = ["measure"]

_REQUESTS = 200


def measure(requests: int, rounds: int) -> Iterator[Table]:
    """Measure a generator of one item on each path, and a body of one chunk.

    Args:
        requests: in one round, at most.
        rounds: how many.
    """
    requests = min(requests, _REQUESTS)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()  # not runner.run, which takes and gives back SIGINT each time
        for path in PATHS:
            table = Table(
                f"{path.name}, start-up: µs per request", ["", "stream", "body", "stream x own", "body x own"]
            )
            runs: dict[str, tuple[Callable[[], object], int]] = {}
            contenders = [each for each in entered(path) if "events" not in each.name]
            for contender in contenders:
                call = call_of(contender, path.protocol, loop)
                runs[contender.name] = _repeat(call, f"/{path.source}/1", requests), requests
                if contender.role not in {"floor", "bare"}:
                    runs[f"{contender.name} body"] = _repeat(call, "/whole", requests), requests
            for run, _ in runs.values():
                run()
            best = {name: timing.best for name, timing in take_turns(runs, rounds).items()}
            for contender in contenders:
                stream, body = best[contender.name], best.get(f"{contender.name} body")
                own, own_body = best.get(contender.own or ""), best.get(f"{contender.own} body")
                table.rows.append(
                    [
                        contender.name,
                        stream * 1e6,
                        None if body is None else body * 1e6,
                        None if own is None else stream / own,
                        None if body is None or own_body is None else body / own_body,
                    ]
                )
            yield table


def _repeat(call: Call, path: str, times: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            call(path)

    return run
