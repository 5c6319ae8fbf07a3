"""Measure every host, and print the table of docs/reference/servers.md.

Run it by `python -m tests.faults.report [pytest's options]`.

Each figure is the worst of all tests that recorded it.
"""

from __future__ import annotations

import platform
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from .hosts import HOSTS

HERE = Path(__file__).parent
MEASURING = ["backpressure", "disconnect", "unyielding_sources", "shutdown"]


class Figures:
    """Collects what tests record, by host."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, float]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if report.when == "call" and isinstance(value, float):
                (host,) = (host.name for host in HOSTS if f"{host.name}-" in report.nodeid.replace("]", "-"))
                self._rows[host][name] = max(value, self._rows[host].get(name, value))

    def table(self) -> str:
        """Return all of it as a table in Markdown."""
        names = sorted({name for row in self._rows.values() for name in row})
        lines = [["", *names], ["---", *["---:" for _ in names]]]
        for host in HOSTS:
            row = self._rows.get(host.name)
            if row is not None:
                cells = [f"{row[name]:.3g}" if name in row else "" for name in names]
                lines.append([host.name.replace("-", ", "), *cells])
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    figures = Figures()
    files = [str(HERE / f"test_{name}.py") for name in MEASURING]
    outcome = pytest.main([*files, "-q", "-m", "not soak", *sys.argv[1:]], plugins=[figures])
    print(f"\nPython {platform.python_version()}\n\n{figures.table()}")  # noqa: T201  # the report
    return int(outcome)


if __name__ == "__main__":
    sys.exit(main())
