"""Microseconds a row through a real server, from the connection to its end, as a client sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks.client import discard
from benchmarks.contenders import PATHS, entered
from benchmarks.inprocess import per_row_table, rows_for
from benchmarks.rounds import take_turns
from benchmarks.serving import serve
from benchmarks.table import Table

__all__ = ["measure"]


def measure(rows: int, rounds: int) -> Iterator[Table]:
    """Measure the four paths: all servers of a path are up, and one at a time is asked."""
    for path in PATHS:
        with ExitStack() as servers:
            runs: dict[str, tuple[Callable[[], object], int]] = {}
            for contender in entered(path):
                port = servers.enter_context(serve(contender, path.protocol)).port
                call = partial(_ask, port, contender.prefix)
                call(f"/{path.source}/1")  # when this is answered, the server is up
                count = rows_for(call, path, rows)
                runs[contender.name] = partial(call, f"/{path.source}/{count}"), count
            timings = take_turns(runs, rounds)
        title = f"{path.name}, through {'uvicorn' if path.protocol == 'asgi' else 'gunicorn gthread'}"
        table = per_row_table(title, path, timings, {name: count for name, (_, count) in runs.items()})
        if path.name == "sync → WSGI":
            table.notes.append("A live chunk is one send, and so is the bare loop's: only bulk has fewer.")
        yield table


def _ask(port: int, prefix: str, path: str) -> int:
    return discard(port, prefix + path)
