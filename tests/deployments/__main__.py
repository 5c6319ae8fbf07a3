"""`python -m tests.deployments`: run the rows, print their table, and write it into docs/reference/deployments.md."""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict

from .measure import Measured, Session
from .page import table, write
from .record import Entry, load, save
from .rows import ROWS, Row
from .running import deployed, missing


def measured(row: Row, silence: float) -> Measured:
    """Run one row and measure it."""
    with deployed(row) as deployment, ExitStack() as stack:
        return Session(deployment, stack).measure(silence)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.deployments", description=__doc__)
    parser.add_argument("--only", default="", help="rows whose name has this in it, such as nginx")
    parser.add_argument("--silence", type=float, default=60.0, help="seconds that an event stream says nothing")
    parser.add_argument("--jobs", type=int, default=3, help="rows that run at a time; most of it is waiting")
    parser.add_argument("--write", action="store_true", help="record it, and write docs/reference/deployments.md")
    parser.add_argument("--list", action="store_true", help="print the names of the rows, and what is missing")
    arguments = parser.parse_args()
    rows = [row for row in ROWS if arguments.only.lower() in row.name.lower()]
    if arguments.list:
        for row in rows:
            _say(f"{row.name}{'' if (lack := missing(row)) is None else f': skipped, {lack}'}")
        return 0
    return _run(rows, arguments.silence, arguments.jobs, is_written=arguments.write)


def _run(rows: list[Row], silence: float, jobs: int, *, is_written: bool) -> int:
    results: dict[Row, Measured] = {}
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        running = {row: pool.submit(measured, row, silence) for row in rows if missing(row) is None}
        for row in rows:
            if row not in running:
                _say(f"{row.name}: skipped, {missing(row)}")
                continue
            try:
                results[row] = running[row].result()
                _say(f"{row.name}: {json.dumps(asdict(results[row]))}")
            except Exception as error:  # the other rows are measured
                failed += 1
                _say(f"{row.name}: FAILED, {type(error).__name__}: {error}")
    _say(table({row: Entry(it, silence, {}) for row, it in results.items()}))
    wrong = [row.name for row, it in results.items() if it.checked != it.events]
    for name in wrong:
        _say(f"{name}: `python -m stream_adapter check` says otherwise about its event stream")
    if is_written:
        save(results, silence)
        write(load())
    return int(bool(failed or wrong))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
