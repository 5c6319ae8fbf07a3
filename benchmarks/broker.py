"""Listeners of a broker: what one costs, and how soon an event reaches it. The floors are written by hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from benchmarks import broker_engines, broker_wakes
from benchmarks import contenders as c
from benchmarks.client import connect, discard
from benchmarks.memory import allow_descriptors, resident
from benchmarks.processes import cpu_of, drain, ratio_in_turns
from benchmarks.serving import serve
from benchmarks.table import Goal, Table

__all__ = ["measure", "served"]

_WARM = 50  # listeners that are open before memory is counted


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure listeners behind uvicorn, in process, and each engine that a server is installed for.

    Args:
        rows: below the usual 50,000, so many fewer listeners and events there are.
        rounds: at most 3.
    """
    part, rounds = min(rows / 50_000, 1), min(rounds, 3)
    yield served(c.BROKER, max(int(400 * part), 4), max(int(50 * part), 2), rounds)
    yield from broker_wakes.measure(part, rounds)
    yield from broker_engines.measure(part)


def served(contenders: Sequence[c.Contender], count: int, events: int, rounds: int) -> Table:
    """Deliver events to listeners on uvicorn; the contenders take turns."""
    allow_descriptors(2 * count + 300)
    table = Table(
        f"One event to each of {count} listeners on uvicorn: µs of CPU a listener; KiB of one that is idle",
        ["", "CPU", "KiB"],
    )
    entered = [contender for contender in contenders if contender.is_installed]
    costs: dict[c.Contender, list[float]] = {contender: [] for contender in entered}
    held: dict[c.Contender, float] = {}
    for turn in range(rounds):
        for contender in entered:
            cpu, kibibytes = _deliveries(contender, count, events)
            costs[contender].append(cpu)
            if not turn:
                held[contender] = kibibytes
    best = {contender: min(found) for contender, found in costs.items()}
    table.rows += [[contender.name, best[contender], held[contender]] for contender in entered]
    if c.SUBSCRIBE in costs:
        table.goals += [
            Goal("subscribe / the list", ratio_in_turns(costs[c.SUBSCRIBE], costs[c.LIST]), 1.25),
            Goal("memory of an idle listener", held[c.SUBSCRIBE], 12.0, "KiB"),
        ]
    if c.SUBSCRIBE_IN_FASTAPI in costs:
        of_fastapi = held[c.LIST_IN_FASTAPI] - held[c.LIST]
        ratio = ratio_in_turns(costs[c.SUBSCRIBE_IN_FASTAPI], costs[c.LIST_IN_FASTAPI])
        table.goals += [
            Goal("subscribe in FastAPI / the list in FastAPI", ratio, 1.25),
            Goal("the same without what FastAPI holds", held[c.SUBSCRIBE_IN_FASTAPI] - of_fastapi, 16.0, "KiB"),
        ]
    return table


def _deliveries(contender: c.Contender, count: int, events: int) -> tuple[float, float]:
    """Return the CPU time of one delivery in µs, and the KiB of an idle listener."""
    with ExitStack() as clients, serve(contender, "asgi") as server:
        pid = server.process.pid
        _open(clients, server.port, min(_WARM, count))
        before = resident(pid)
        listeners = _open(clients, server.port, count)
        kibibytes = (resident(pid) - before) / count
        discard(server.port, "/publish/1")
        received = drain(listeners, quiet=0.3)
        begun = cpu_of(pid)
        with connect(server.port, f"/publish/{events}") as publisher:
            received = drain([*listeners, publisher], quiet=0.5)
        if received < events * count * 30:
            raise RuntimeError(f"{contender.name}: the listeners received {received} bytes")
        return (cpu_of(pid) - begun) / (events * (count + min(_WARM, count))) * 1e6, kibibytes


def _open(clients: ExitStack, port: int, count: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    for _ in range(count):
        client: socket.socket = clients.enter_context(connect(port, "/listen"))
        head = client.recv(4096)
        while b"\r\n\r\n" not in head or head.endswith(b"\r\n\r\n"):  # the head, and the first frame
            head += client.recv(4096)
        opened.append(client)
    return opened
