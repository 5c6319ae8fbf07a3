"""The page says what was measured; and, by -m deployments, what was measured is measured again."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from .measure import Session
from .page import BEGIN, END, PAGE, made_of, written
from .record import load
from .rows import ROWS, Row
from .running import deployed, missing


def test_page_shows_the_record_of_each_row() -> None:
    entries = load()
    assert list(entries) == ROWS, "run `python -m tests.deployments --write --only …` for the rows that are missing"
    assert PAGE.read_text() == written(PAGE.read_text(), made_of(entries))


def test_page_without_markers_is_refused() -> None:
    assert written(f"before {BEGIN} old {END} after", "new") == f"before {BEGIN}\n\nnew\n\n{END} after"
    with pytest.raises(ValueError, match="markers"):
        written(f"before {BEGIN} old", "new")


def test_check_agrees_with_what_was_measured_of_each_row() -> None:
    assert [row.name for row, it in load().items() if it.measured.checked != it.measured.events] == []


@pytest.mark.deployments
@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_deployment_measures_what_its_row_of_the_page_says(row: Row) -> None:
    if (lack := missing(row)) is not None:
        pytest.skip(lack)
    recorded = load()[row].measured
    with deployed(row) as deployment, ExitStack() as stack:
        measured = Session(deployment, stack).measure(silence=5.0)
    assert (measured.events, measured.bytes_, measured.failure) == (recorded.events, recorded.bytes_, recorded.failure)
    assert measured.checked == measured.events
    assert measured.survives
    assert (measured.departure is None) == (recorded.departure is None)
    assert measured.finally_ == recorded.finally_
