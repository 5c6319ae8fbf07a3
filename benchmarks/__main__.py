"""`python -m benchmarks`: measure, and print tables."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import (
    broker,
    downloads,
    formats,
    inprocess,
    installed,
    latency,
    memory,
    middleware,
    requests,
    runs,
    server,
    startup,
)
from benchmarks.against import compare
from benchmarks.cases import SECTIONS as COMPARED
from benchmarks.chart import draw
from benchmarks.contenders import missing
from benchmarks.table import Table

__all__ = ["main"]

_SECTIONS: dict[str, Callable[[int, int], Iterator[Table]]] = {
    "inprocess": inprocess.measure,
    "formats": formats.measure,
    "server": server.measure,
    "requests": requests.measure,
    "middleware": middleware.measure,
    "latency": latency.measure,
    "startup": startup.measure,
    "memory": memory.measure,
    "downloads": downloads.measure,
    "installed": installed.measure,
    "broker": broker.measure,
    "runs": runs.measure,
}
_IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"


def main(arguments: list[str] | None = None) -> int:
    """Measure the sections that are asked for; return 0, whatever the figures are."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Floors, peers and this library, side by side."
    )
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(_SECTIONS)}; all if none is given")
    parser.add_argument("--rows", type=int, default=50_000, help="of a stream of rows (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="the best one counts (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--against",
        metavar="REV",
        help=f"compare with a revision, in alternating rounds; sections: {', '.join(COMPARED)}",
    )
    parser.add_argument("--pairs", type=int, default=5, help="of processes, with --against (%(default)s)")
    parser.add_argument(
        "--chart",
        metavar="FOLDER",
        nargs="?",
        const=_IMAGES,
        type=Path,
        help="draw the figures of a row into a folder, as SVG for light and dark pages (docs/images)",
    )
    given = parser.parse_args(arguments)
    for name in given.sections:
        if name not in (_SECTIONS if given.against is None else COMPARED):
            parser.error(f"unknown section {name!r}")
    if given.against is not None:
        return _compare(parser, given)
    if given.chart is not None:
        return _draw(given)
    return _measure(given)


def _measure(given: argparse.Namespace) -> int:
    tables: list[dict[str, Any]] = []
    if not given.json:
        _print(f"Python {platform.python_version()}. Left out, not installed: {', '.join(missing()) or 'nothing'}.\n")
    for name in given.sections or _SECTIONS:
        for table in _SECTIONS[name](given.rows, given.rounds):
            if given.json:
                tables.append({"section": name, **table.as_json()})
            else:
                _print("\n".join(table.lines()))
    if given.json:
        _print(json.dumps({"python": platform.python_version(), "missing": missing(), "tables": tables}, indent=2))
    return 0


def _compare(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    try:
        table = compare(given.against, given.sections, given.pairs)
    except LookupError as error:
        parser.error(str(error))
    _print("\n".join(table.lines()))
    return 0


def _draw(given: argparse.Namespace) -> int:
    for path in draw(inprocess.measure(given.rows, given.rounds), "rows", given.chart):
        _print(str(path))
    return 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
