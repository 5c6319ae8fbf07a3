"""Requests a second of an endpoint that streams three rows of NDJSON, by `wrk`, through real servers.

On a machine that does other work, the CPU time that the server takes for a request tells more than how many it answers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks import contenders as c
from benchmarks.client import discard
from benchmarks.serving import cpu_seconds, serve
from benchmarks.table import Goal, Table
from tests.support.servers import Server

__all__ = ["best_of", "measure"]

_SECONDS = 1  # of one run
_CONNECTIONS = 8
_ROWS = 3

_ON_UVICORN = (
    c.Contender("floor", "floor", "records:ndjson_floor_asgi"),
    c.Contender("Starlette", "peer", "lines:starlette", requires=("starlette",)),
    c.Contender("ndjson", "library", "records:ndjson_asgi", own="Starlette"),
    c.Contender("FastAPI", "peer", "lines:fastapi", requires=("fastapi",)),
    c.Contender("FastAPI, JSON lines", "peer", "records:fastapi_ndjson", requires=("fastapi",)),
    c.OUR_FASTAPI,
    c.Contender("Django", "peer", "django:asgi", prefix="/lines", requires=("django",)),
    c.OUR_DJANGO_ASGI,
)
_ON_GUNICORN = (
    c.Contender("floor", "floor", "records:ndjson_floor_wsgi"),
    c.Contender("ndjson", "library", "records:ndjson_wsgi"),
    c.Contender("Flask", "peer", "lines:flask", requires=("flask",)),
    c.OUR_FLASK,
    c.Contender("Django", "peer", "django:wsgi", prefix="/lines", requires=("django",)),
    c.OUR_DJANGO_WSGI,
)
_WHOLE: tuple[tuple[c.Contender, c.Protocol], ...] = (
    (c.Contender("Starlette on uvicorn", "peer", "starlette:asgi", requires=("starlette",)), "asgi"),
    (c.Contender("by to_wsgi on gunicorn", "library", "starlette:by_to_wsgi", requires=("starlette",)), "wsgi"),
    (c.Contender("by a2wsgi on gunicorn", "peer", "starlette:by_a2wsgi", requires=("starlette", "a2wsgi")), "wsgi"),
    (c.Contender("a floor on gunicorn", "floor", "floor:wsgi"), "wsgi"),
)
_SERVERS: tuple[tuple[str, c.Protocol, str, tuple[c.Contender, ...]], ...] = (
    ("uvicorn", "asgi", "async", _ON_UVICORN),
    ("gunicorn gthread", "wsgi", "sync", _ON_GUNICORN),
)


@dataclass(frozen=True, slots=True)
class _Run:
    a_second: float
    cpu: float  # seconds for a request


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure both servers: all contenders are up, and one at a time is asked.

    Args:
        rows: not used.
        rounds: how often each is asked for a second; the best of each figure counts.
    """
    del rows
    if shutil.which("wrk") is None:
        yield Table("Requests a second", [""], notes=["not measured: wrk is not installed"])
        return
    for name, protocol, source, contenders in _SERVERS:
        table = Table(
            f"A stream of {_ROWS} rows of NDJSON on {name}, {_CONNECTIONS} connections",
            ["", "requests a second", "µs of CPU a request", "CPU x own"],
        )
        best = best_of({each: protocol for each in contenders if each.is_installed}, f"/items-{source}/{_ROWS}", rounds)
        for each in best:
            run, own = best[each], next((best[other] for other in best if other.name == each.own), None)
            times = None if own is None else run.cpu / own.cpu
            table.rows.append([each.name, run.a_second, run.cpu * 1e6, times])
            if own is not None:
                what = f"{name}: {each.own} / {each.name}, requests a second"
                table.goals.append(Goal(what, own.a_second / run.a_second, 1.0))
        yield table
    yield _whole(rounds)


def _whole(rounds: int) -> Table:
    """Compare a whole small answer of Starlette under WSGI with the same on its own kind of server."""
    table = Table("A whole answer of Starlette", ["", "requests a second", "µs of CPU a request", "x uvicorn"])
    contenders: dict[c.Contender, c.Protocol] = {each: protocol for each, protocol in _WHOLE if each.is_installed}
    best = best_of(contenders, "/whole", rounds)
    for each, run in best.items():
        own = best.get(_WHOLE[0][0])
        table.rows.append([each.name, run.a_second, run.cpu * 1e6, None if own is None else run.cpu / own.cpu])
    return table


def best_of(contenders: Mapping[c.Contender, c.Protocol], path: str, rounds: int) -> dict[c.Contender, _Run]:
    """Return the best figures of each contender.

    Args:
        contenders: who is asked, with the protocol of the server.
        path: what is asked for, in each application.
        rounds: how often.
    """
    best: dict[c.Contender, _Run] = {}
    options: dict[c.Protocol, list[str]] = {
        "wsgi": [],
        "asgi": ["--http", "httptools"] if find_spec("httptools") else [],
    }
    with ExitStack() as servers:
        up = {
            each: servers.enter_context(serve(each, protocol, *options[protocol]))
            for each, protocol in contenders.items()
        }
        for turn in range(rounds + 1):  # the first is a warm-up
            for each, server in up.items():
                run = _ask(server, each.prefix + path)
                if turn:
                    before = best.get(each, run)
                    best[each] = _Run(max(run.a_second, before.a_second), min(run.cpu, before.cpu))
    return best


def _ask(server: Server, path: str) -> _Run:
    """Ask for a path as often as the server answers.

    Raises:
        RuntimeError: an answer is not a 200, or a connection broke.
    """
    discard(server.port, path)  # when this is answered, the server is up
    command = ["wrk", "--threads", "1", "--connections", str(_CONNECTIONS), "--duration", f"{_SECONDS}s"]
    begun = cpu_seconds(server)
    printed = subprocess.run([*command, server.url + path], check=True, capture_output=True, text=True).stdout  # noqa: S603
    cpu = cpu_seconds(server) - begun
    count = re.search(r"(\d+) requests in", printed)
    a_second = re.search(r"Requests/sec:\s*([\d.]+)", printed)
    if count is None or a_second is None or not int(count[1]) or "Non-2xx" in printed or "Socket errors" in printed:
        raise RuntimeError(f"{path}: {printed}")
    return _Run(float(a_second[1]), cpu / int(count[1]))
