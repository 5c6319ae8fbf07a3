"""Run the suite and print the figures that it measures: `python -m tests.faults.report [pytest's options]`."""

from __future__ import annotations

import sys
from collections import defaultdict

import pytest


class Figures:
    """Collects what tests record."""

    def __init__(self) -> None:
        self.rows: dict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            for name, value in report.user_properties:
                shown = f"{value:.1f}" if isinstance(value, float) else str(value)
                self.rows[report.nodeid.rpartition("::")[2]].append(f"{name}: {shown}")

    def print(self) -> None:
        for test, figures in self.rows.items():
            print(f"{test}\n    {'; '.join(figures)}")  # noqa: T201  # the report


def main() -> int:
    figures = Figures()
    outcome = pytest.main(["tests/faults", "-q", *sys.argv[1:]], plugins=[figures])
    figures.print()
    return int(outcome)


if __name__ == "__main__":
    sys.exit(main())
