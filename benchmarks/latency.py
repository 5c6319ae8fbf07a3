"""Microseconds from `yield` to the client, of a source that yields a row every 2 ms."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks import contenders as c
from benchmarks.client import connect
from benchmarks.serving import serve
from benchmarks.table import Table

__all__ = ["measure"]

_RAW_ASGI = c.Contender("raw app", "bare", "floor:bare_asgi")
_RAW_WSGI = c.Contender("raw app", "bare", "floor:bare_wsgi")
_LINES: tuple[tuple[c.Contender, c.Protocol, str], ...] = (
    (_RAW_ASGI, "asgi", "async"),
    (c.PLAIN_ASGI, "asgi", "async"),
    (c.OUR_FASTAPI, "asgi", "async"),
    (c.OUR_DJANGO_ASGI, "asgi", "async"),
    (c.STARLETTE, "asgi", "async"),
    (c.PLAIN_ASGI, "asgi", "sync"),
    (c.STARLETTE, "asgi", "sync"),
    (_RAW_WSGI, "wsgi", "sync"),
    (c.PLAIN_WSGI, "wsgi", "sync"),
    (c.OUR_FLASK, "wsgi", "sync"),
    (c.OUR_DJANGO_WSGI, "wsgi", "sync"),
    (c.PLAIN_WSGI, "wsgi", "async"),
    (c.OUR_FLASK, "wsgi", "async"),
)
_ROW = re.compile(rb"(\d{21})\n")


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure on real servers; the rounds' rows are counted together.

    Args:
        rows: in one round, at most 200.
        rounds: how many, at most 5.
    """
    table = Table("Added latency, yield → received: µs", ["", "path", "p50", "p99"])
    rows, rounds = min(rows, 200), min(rounds, 5)
    lines = [line for line in _LINES if line[0].is_installed]
    delays: list[list[float]] = [[] for _ in lines]
    with ExitStack() as servers:
        ports = [servers.enter_context(serve(contender, protocol)).port for contender, protocol, _ in lines]
        for turn in range(rounds + 1):
            for (contender, _, source), port, into in zip(lines, ports, delays, strict=True):
                received = list(_delays(port, f"{contender.prefix}/paced-{source}/{rows if turn else 2}"))
                into.extend(received if turn else ())  # the first turn is a warm-up
    for (contender, protocol, source), measured in zip(lines, delays, strict=True):
        p99 = statistics.quantiles(measured, n=100)[-1] if len(measured) > 1 else None
        table.rows.append([contender.name, f"{source} → {protocol.upper()}", statistics.median(measured), p99])
    yield table


def _delays(port: int, path: str) -> Iterator[float]:
    rest = b""
    with connect(port, path) as client:
        while data := client.recv(65536):
            now = time.monotonic_ns()
            rest += data
            end = 0
            for row in _ROW.finditer(rest):
                yield (now - int(row[1])) / 1000
                end = row.end()
            rest = rest[end:]
