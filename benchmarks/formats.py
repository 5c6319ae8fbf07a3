"""Microseconds an item of three keys, in process: each format beside its floor and its peers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from benchmarks.calls import call_of
from benchmarks.contenders import Contender, Protocol
from benchmarks.rounds import take_turns
from benchmarks.table import Goal, Table

__all__ = ["FORMATS", "Race", "measure"]

_ITEM = len(b"0,a name,true\r\n")  # as CSV, in which it is shortest
_PATIENCE = 0.5  # seconds that one run may take: what is slower gets fewer items, for a ratio needs no more


@dataclass(frozen=True, slots=True)
class Race:
    """One format, on one path.

    Attributes:
        title: what the table is called.
        source: the kind of the items' source.
        protocol: of the server.
        contenders: the first is the floor.
        targets: (subject, peer, at most how many times the peer's time).
    """

    title: str
    source: Literal["sync", "async"]
    protocol: Protocol
    contenders: tuple[Contender, ...]
    targets: tuple[tuple[str, str, float], ...]


FORMATS = (
    Race(
        "SSE",
        "async",
        "asgi",
        (
            Contender("floor", "floor", "events:floor_items"),
            Contender("sse", "library", "events:adapted", requires=("fastapi",)),
            Contender("sse, one event", "library", "events:adapted_shared", requires=("fastapi",)),
            Contender("sse-starlette", "peer", "events:sse_starlette_items", requires=("sse_starlette", "fastapi")),
            Contender("FastAPI", "peer", "events:fastapi", requires=("fastapi",)),
        ),
        (("sse", "floor", 2), ("sse", "sse-starlette", 1 / 5), ("sse", "FastAPI", 1 / 30)),
    ),
    Race(
        "NDJSON",
        "async",
        "asgi",
        (
            Contender("floor", "floor", "records:ndjson_floor_asgi"),
            Contender("ndjson", "library", "records:ndjson_asgi"),
            Contender("FastAPI", "peer", "records:fastapi_ndjson", requires=("fastapi",)),
        ),
        (("ndjson", "floor", 1.6), ("ndjson", "FastAPI", 1 / 20)),
    ),
    Race(
        "NDJSON with a response model",
        "async",
        "asgi",
        (
            Contender("floor", "floor", "records:ndjson_floor_asgi"),
            Contender("stream_adapter in FastAPI", "library", "records:our_model", requires=("fastapi",)),
            Contender("FastAPI", "peer", "records:fastapi_model", requires=("fastapi",)),
        ),
        (("stream_adapter in FastAPI", "FastAPI", 1 / 2),),
    ),
    Race(
        "NDJSON",
        "sync",
        "wsgi",
        (
            Contender("floor", "floor", "records:ndjson_floor_wsgi"),
            Contender("ndjson", "library", "records:ndjson_wsgi"),
        ),
        (("ndjson", "floor", 1.6),),
    ),
    Race(
        "CSV",
        "sync",
        "wsgi",
        (
            Contender("floor", "floor", "records:csv_floor_wsgi"),
            Contender("csv", "library", "records:csv_wsgi"),
        ),
        (("csv", "floor", 1.5),),
    ),
)


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure each format."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()  # not runner.run, which takes and gives back SIGINT each time
        for race in FORMATS:
            yield _measure(race, loop, rows, rounds)


def _measure(race: Race, loop: asyncio.AbstractEventLoop, rows: int, rounds: int) -> Table:
    runs: dict[str, tuple[Callable[[], object], int]] = {}
    for contender in race.contenders:
        if not contender.is_installed:
            continue
        size = call_of(contender, race.protocol, loop, counted=True)(f"/items-{race.source}/1000")
        if size < 1000 * _ITEM:
            raise RuntimeError(f"{race.title}, {contender.name}: {size} bytes arrived of at least {1000 * _ITEM}")
        call = call_of(contender, race.protocol, loop)
        few = max(rows // 50, 1)
        seconds = take_turns({"": (partial(call, f"/items-{race.source}/{few}"), few)}, 2, clock=time.process_time)[
            ""
        ].best
        count = rows if seconds * rows < _PATIENCE else few
        runs[contender.name] = partial(call, f"/items-{race.source}/{count}"), count
    timings = take_turns(runs, rounds, clock=time.process_time)
    floor = timings[race.contenders[0].name].best
    table = Table(
        f"{race.title}, {race.source} → {race.protocol.upper()}: µs per item",
        ["", "best", "median", "x floor", "items"],
    )
    for name, timing in timings.items():
        table.rows.append([name, timing.best * 1e6, timing.median * 1e6, timing.best / floor, str(runs[name][1])])
    for subject, beside, at_most in race.targets:
        if subject in timings and beside in timings:
            table.goals.append(Goal(f"{subject} / {beside}", timings[subject].best / timings[beside].best, at_most))
    return table
