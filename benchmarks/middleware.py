"""What the drop-in middleware gives an unchanged application, and what it costs a response without a stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks.calls import call_of
from benchmarks.client import discard
from benchmarks.contenders import Contender, Protocol
from benchmarks.rounds import take_turns
from benchmarks.serving import serve
from benchmarks.table import Goal, Table

__all__ = ["measure"]

_REQUESTS = 2_000

_PAIRS: dict[str, tuple[Protocol, str, Contender, Contender]] = {
    "Starlette on uvicorn": (
        "asgi",
        "async",
        Contender("alone", "peer", "starlette:asgi", requires=("starlette",)),
        Contender("mended", "library", "starlette:mended", requires=("starlette",)),
    ),
    "Flask on gunicorn gthread": (
        "wsgi",
        "sync",
        Contender("alone", "peer", "flask:wsgi", requires=("flask",)),
        Contender("mended", "library", "flask:mended", requires=("flask",)),
    ),
}


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure each pair through its server, row by row, and in process, response by response."""
    for name, (protocol, source, alone, mended) in _PAIRS.items():
        if not alone.is_installed:
            continue
        table = Table(f"{name}, alone and under the middleware: µs", ["", "a row", "a response without a stream"])
        a_row = _per_row(protocol, source, rows, rounds, alone, mended)
        a_response = _per_response(protocol, rounds, alone, mended)
        for contender in (alone.name, mended.name):
            table.rows.append([contender, a_row[contender] * 1e6, a_response[contender] * 1e6])
        if protocol == "asgi":
            table.goals.append(Goal("a row, mended / alone", a_row["mended"] / a_row["alone"], 1 / 2))
        else:
            table.notes.append("Under WSGI a live chunk is one send, mended or not.")
        more = (a_response["mended"] - a_response["alone"]) * 1e6
        table.goals.append(Goal("a response without a stream, mended - alone", more, 5, "µs"))
        yield table


def _per_row(protocol: Protocol, source: str, rows: int, rounds: int, *contenders: Contender) -> dict[str, float]:
    with ExitStack() as servers:
        runs: dict[str, tuple[Callable[[], object], int]] = {}
        for contender in contenders:
            port = servers.enter_context(serve(contender, protocol)).port
            discard(port, f"/{source}/1")  # when this is answered, the server is up
            runs[contender.name] = partial(discard, port, f"/{source}/{rows}"), rows
        return {name: timing.best for name, timing in take_turns(runs, rounds).items()}


def _per_response(protocol: Protocol, rounds: int, *contenders: Contender) -> dict[str, float]:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runs: dict[str, tuple[Callable[[], object], int]] = {}
        for contender in contenders:
            call = partial(call_of(contender, protocol, loop), "/whole")
            runs[contender.name] = partial(_repeat, call), _REQUESTS
        for run, _ in runs.values():
            run()
        return {name: timing.best for name, timing in take_turns(runs, rounds, clock=time.process_time).items()}


def _repeat(call: Callable[[], object]) -> None:
    for _ in range(_REQUESTS):
        call()
