"""The test suites of other projects on this library: `python -m pytest -m suites`, some twenty minutes.

Each runs in an environment of its own, without this library and then with each way of this library. What passes without
us and not with us must be in the table of docs/reference/suites.md, and what is in the table must still differ.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from .catalog import SUITES, Suite
from .running import Outcomes, differences, prepare, run

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "suites.md"
ROW = re.compile(r"^\| (?P<suite>[\w-]+) \| (?P<way>[\w ()]+) \| `(?P<tests>[^`]+)` \| (?P<why>.+) \|$", re.MULTILINE)


def documented(suite: str, way: str) -> set[str]:
    """Return the patterns of the tests that may differ, as the page has them."""
    return {row["tests"] for row in ROW.finditer(PAGE.read_text()) if (row["suite"], row["way"]) == (suite, way)}


def unexplained(found: Outcomes, patterns: set[str]) -> tuple[list[str], list[str]]:
    """Return the differences that no pattern names, and the patterns that name no difference."""
    unnamed = [test for test in found if not any(fnmatchcase(test, pattern) for pattern in patterns)]
    unused = [pattern for pattern in patterns if not any(fnmatchcase(test, pattern) for test in found)]
    return unnamed, unused


def test_each_row_of_the_page_is_of_a_suite_and_a_way_that_are_run() -> None:
    ways = {(suite.name, way) for suite in SUITES for way in suite.ways}
    rows = {(row["suite"], row["way"]) for row in ROW.finditer(PAGE.read_text())}
    assert rows
    assert rows <= ways


def test_difference_that_is_not_documented_is_found_and_so_is_one_that_has_gone() -> None:
    plain = {"a": "passed", "b": "passed", "c": "failed", "d": "passed"}
    found = differences(plain, {"a": "passed", "b": "failed", "c": "failed"})
    assert found == {"b": "failed", "d": "missing"}
    assert unexplained(found, {"b", "gone*"}) == (["d"], ["gone*"])


@pytest.mark.suites
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_suite_differs_from_a_run_without_us_only_as_documented(suite: Suite, tmp_path: Path) -> None:
    prepared = prepare(suite, tmp_path)
    plain = run(prepared, "")
    assert sum(outcome == "passed" for outcome in plain.values()) > 10, "the suite itself does not run here"
    for way in suite.ways:
        unnamed, unused = unexplained(differences(plain, run(prepared, way)), documented(suite.name, way))
        assert not unnamed, f"{suite.project}, {way}: not in docs/reference/suites.md: {unnamed}"
        assert not unused, f"{suite.project}, {way}: in docs/reference/suites.md, but no longer different: {unused}"
