"""What a stream holds: of one that is long, and of two thousand that are silent."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import contenders as c
from benchmarks.client import connect, discard
from benchmarks.serving import serve
from benchmarks.table import Goal, Table

__all__ = ["allow_descriptors", "idle", "long", "measure", "resident"]

_LONG: tuple[tuple[c.Contender, c.Protocol, str], ...] = (
    (c.Contender("raw app", "bare", "floor:bare_asgi"), "asgi", "async"),
    (c.PLAIN_ASGI, "asgi", "async"),
    (c.PLAIN_ASGI, "asgi", "sync"),
    (c.OUR_FASTAPI, "asgi", "async"),
    (c.OUR_DJANGO_ASGI, "asgi", "async"),
    (c.PLAIN_WSGI, "wsgi", "sync"),
    (c.PLAIN_WSGI, "wsgi", "async"),
    (c.OUR_FLASK, "wsgi", "sync"),
    (c.OUR_DJANGO_WSGI, "wsgi", "sync"),
)
_IDLE = (
    c.Contender("raw app", "bare", "events:raw", requires=("fastapi",)),
    c.Contender("sse", "library", "events:adapted", requires=("fastapi",)),
    c.Contender("sse in FastAPI", "library", "events:adapted_fastapi", requires=("fastapi",)),
    c.Contender("Starlette", "peer", "events:starlette", requires=("fastapi",)),
    c.Contender("sse-starlette", "peer", "events:sse_starlette", requires=("fastapi", "sse_starlette")),
    c.Contender("FastAPI, frames", "peer", "events:fastapi_frames", requires=("fastapi",)),
    c.Contender("FastAPI, events", "peer", "events:fastapi", requires=("fastapi",)),
)
_MORE_MIB = 8.0
_RAW, _OWN, _IN_FASTAPI, _, _, _FASTAPI_FRAMES, _ = _IDLE
_MORE_KIB = 8.0  # than a raw application
_MORE_IN_FASTAPI = 1.0  # KiB more than FastAPI's own response, which does less
_WARM = 100  # streams that are open before anything is counted


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure both; a round more would not make it more exact.

    Args:
        rows: below the usual 50,000, so much less is streamed, and so many fewer streams are open.
        rounds: not used.
    """
    del rounds
    part = min(rows / 50_000, 1)
    yield long(max(int(1024 * part), 11))
    yield idle(max(int(2000 * part), 10))


def long(mebibytes: int) -> Table:
    """Compare the peak of a long stream with that of one of 10 MiB, server by server."""
    table = Table(f"A stream of {mebibytes} MiB: peak memory, MiB", ["", "path", "of 10 MiB", "more", "MiB a second"])
    for contender, protocol, source in _LONG:
        if not contender.is_installed:
            continue
        with serve(contender, protocol) as server:
            discard(server.port, f"{contender.prefix}/large-{source}/10")
            small = server.peak_memory() / 2**20
            begun = time.perf_counter()
            discard(server.port, f"{contender.prefix}/large-{source}/{mebibytes}")
            speed = mebibytes / (time.perf_counter() - begun)
            more = server.peak_memory() / 2**20 - small
        path = f"{source} → {protocol.upper()}"
        table.rows.append([contender.name, path, small, more, speed])
        if contender.role == "library":
            table.goals.append(Goal(f"{contender.name}, {path}: more", more, _MORE_MIB, "MiB"))
    return table


def idle(count: int) -> Table:
    """Open `count` streams that stay silent, and see what the server holds for each."""
    allow_descriptors(count + _WARM + 200)
    table = Table(f"{count} silent event streams on uvicorn: KiB per connection", ["", "KiB"])
    held = {contender: _held(contender, count) for contender in _IDLE if contender.is_installed}
    for contender, kibibytes in held.items():
        table.rows.append([contender.name, kibibytes])
    for contender, beside, limit in ((_OWN, _RAW, _MORE_KIB), (_IN_FASTAPI, _FASTAPI_FRAMES, _MORE_IN_FASTAPI)):
        if contender in held:
            more = held[contender] - held[beside]
            table.goals.append(Goal(f"{contender.name}, more than {beside.name}", more, limit, "KiB"))
    table.notes.append("What FastAPI itself holds for a request is in all figures.")
    return table


def _held(contender: c.Contender, count: int) -> float:
    with ExitStack() as clients, serve(contender, "asgi") as server:
        for _ in range(_WARM):
            _open(clients, server.port)
        before = resident(server.process.pid)
        for _ in range(count):
            _open(clients, server.port)
        return (resident(server.process.pid) - before) / count


def _open(clients: ExitStack, port: int) -> None:
    client: socket.socket = clients.enter_context(connect(port, "/idle/1"))
    received = b""
    while b"twenty-two" not in received:
        received += client.recv(4096)


def resident(pid: int) -> float:
    """Return the KiB that a process has resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise LookupError(f"no VmRSS for process {pid}")


def allow_descriptors(count: int) -> None:
    """Raise the limit of open files, as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
