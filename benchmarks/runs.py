"""Runs: what a token costs a server, and how late the first one is, beside the same generator streamed directly."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from tempfile import TemporaryDirectory

from benchmarks.client import connect
from benchmarks.processes import cpu_of, drain, ratio_in_turns
from benchmarks.table import Goal, Table
from tests.support.redis_server import KINDS, RedisServer, binary_of
from tests.support.servers import Server, uvicorn

__all__ = ["DIRECT", "MEMORY", "Contender", "measure", "tokens"]

_CLIENTS = 20
_PAUSE = 0.01  # seconds: 100 tokens a second
_KEYS = count()


@dataclass(frozen=True, slots=True)
class Contender:
    """An application of benchmarks/apps/runs.py, and the store of its runs."""

    name: str
    factory: str
    broker: str = ""

    def serve(self) -> AbstractContextManager[Server]:
        """Start a server with one process."""
        options = ("--factory", "--lifespan", "off", "--no-access-log", "--log-level", "error")
        return uvicorn(f"benchmarks.apps.runs:{self.factory}", *options, BROKER=self.broker)


DIRECT = Contender("the generator, directly", "direct")
MEMORY = Contender("run, memory", "runs", "memory://")


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure on uvicorn.

    Args:
        rows: below the usual 50,000, so many fewer tokens there are.
        rounds: at most 7.
    """
    part = min(rows / 50_000, 1)
    with ExitStack() as stack:
        contenders = [DIRECT, MEMORY]
        folder = stack.enter_context(TemporaryDirectory())
        contenders.append(Contender("run, SQLite", "runs", f"sqlite:///{folder}/broker.db"))
        kind = next((kind for kind in KINDS if binary_of(kind)), None)
        if kind is not None and find_spec("redis") is not None:
            url = stack.enter_context(RedisServer(kind)).url
            contenders.append(Contender(f"run, {kind.capitalize()}", "runs", url))
            contenders.append(Contender(f"redis-py by hand, {kind.capitalize()}", "by_hand", url))
        yield tokens(contenders, max(int(300 * part), 3), max(int(50 * part), 2), min(rounds, 7))


def tokens(contenders: list[Contender], length: int, firsts: int, rounds: int) -> Table:
    """Stream answers at 100 tokens a second to 20 clients, and short ones to one client; the contenders take turns."""
    table = Table(
        f"A run on uvicorn, {_CLIENTS} at a time, 100 tokens a second: µs of CPU a token; ms to the first token",
        ["", "CPU", "first"],
    )
    costs: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    delays: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with ExitStack() as servers:
        started = [(contender, servers.enter_context(contender.serve())) for contender in contenders]
        for contender, server in started:
            _cost(server, 3)  # a warm-up
            delays[contender.name] = []
        for _ in range(rounds):
            for contender, server in started:
                costs[contender.name].append(_cost(server, length))
        for _ in range(firsts):
            for contender, server in started:
                delays[contender.name].append(_first(server))
    first = {name: statistics.median(found) for name, found in delays.items()}
    best = {name: min(found) for name, found in costs.items()}
    table.rows += [[name, best[name], first[name]] for name in best]
    if {DIRECT.name, MEMORY.name} <= costs.keys():
        ratio = ratio_in_turns(costs[MEMORY.name], costs[DIRECT.name])
        table.goals += [Goal("CPU of a run / of its generator", ratio, 1.3)]
        table.goals += [
            Goal(f"first token of a {name}, later by", first[name] - first[DIRECT.name], 2.0, "ms")
            for name in costs
            if name.startswith("run, ")
        ]
    table.notes.append(
        "What is written by hand has no lease, no fencing and no stop, and holds a connection per client."
    )
    return table


def _cost(server: Server, length: int) -> float:
    """Return the microseconds of CPU of one token."""
    begun = cpu_of(server.process.pid)
    with ExitStack() as stack:
        paths = [f"/answer/k{next(_KEYS)}/{length}/{_PAUSE}" for _ in range(_CLIENTS)]
        drain([stack.enter_context(connect(server.port, path)) for path in paths], quiet=60.0)
    return (cpu_of(server.process.pid) - begun) / (length * _CLIENTS) * 1e6


def _first(server: Server) -> float:
    """Return the milliseconds from a request to the first token."""
    begun = time.perf_counter()
    with connect(server.port, f"/answer/k{next(_KEYS)}/1/0") as client:
        received = b""
        while b"data: " not in received:
            data = client.recv(65536)
            if not data:
                raise RuntimeError(f"the answer has ended: {received!r}")
            received += data
        return (time.perf_counter() - begun) * 1000
