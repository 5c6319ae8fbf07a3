"""What the encoders look at first, and what only if need be: the same outcome for any value."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stream_adapter as sa
from stream_adapter.errors import ChunkValueError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=8,
)
ZONES: Any = st.none() | st.timedeltas(timedelta(hours=-20), timedelta(hours=20)).map(timezone)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=ZONES)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  # full-width ones
UNSEEN = "\ufeff\u200b\u200c\u200d\u2060\0"


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


def is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # of anything
    return not isinstance(value, (list, tuple)) or all(map(is_finite, value))  # pyright: ignore[reportUnknownArgumentType]  # of anything


@pytest.mark.parametrize("shortcut", [sa.ndjson, sa.sse, sa.json_array, sa.json_seq])
@given(value=VALUES)
def test_json_is_refused_for_a_nan_or_an_infinity_and_for_nothing_else(shortcut: Any, value: object) -> None:
    if is_finite(value):
        body_of(shortcut([["null", value]]))
    else:
        with pytest.raises(ChunkValueError, match="expected a finite number"):
            body_of(shortcut([["null", value]]))


@given(st.floats(), TEXT)
def test_cell_of_a_number_is_its_text_and_only_a_finite_one_passes(number: float, text: str) -> None:
    for value in (number, Decimal(number)):
        if math.isfinite(number):
            assert body_of(sa.csv([{"a": value, "b": 1}])) == f"a,b\r\n{value},1\r\n".encode()
        else:
            with pytest.raises(ChunkValueError, match="column 'a': expected a finite number"):
                body_of(sa.csv([{"a": value, "b": text}]))


@given(st.dates() | MOMENTS | st.uuids() | st.times())
def test_cell_of_what_json_writes_as_text_is_that_text(value: object) -> None:
    assert cell_of(value) == json.loads(body_of(sa.ndjson([value])))


@given(st.lists(TEXT | st.integers(), max_size=3))
def test_cell_of_a_list_is_its_json(value: list[object]) -> None:
    assert json.loads(cell_of(value)) == value


@given(st.text(st.sampled_from([*FORMULA, *UNSEEN, "a", "'", " ", "1"]), max_size=6))
def test_text_gets_an_apostrophe_where_a_formula_begins_behind_what_is_not_seen(text: str) -> None:
    expected = f"'{text}" if text.lstrip(UNSEEN).startswith(FORMULA) else text
    assert cell_of(text, escape_formulas=True) == expected


def cell_of(value: object, *, escape_formulas: bool = False) -> str:
    """Return the second cell of a row, as a parser reads it."""
    body = body_of(sa.csv([["first", value]], escape_formulas=escape_formulas)).decode()
    ((first, cell),) = csv.reader(io.StringIO(body, newline=""))
    assert first == "first"
    return cell
