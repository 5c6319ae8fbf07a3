"""Accept and Accept-Encoding are read in linear time, and as RFC 9110 says."""

from __future__ import annotations

import pytest

from stream_adapter._accept import acceptable_codings, clipped, quality_of, read_qualities

QUALITIES: dict[str, dict[str, float]] = {
    "": {},
    "text/html": {"text/html": 1},
    "Text/HTML ; Q=0.5 , */*;q=0": {"text/html": 0.5, "*/*": 0},
    "a/b;q=0.25;ext=1": {"a/b": 0.25},
    "a/b;level=1;q=0.5, c/d": {"c/d": 1},
    "a/b;q=2, a/c;q=-1, a/d;q=x, a/e;q=, a/f;q=1.5, a/g;q=0.333333": {"a/g": 0.333333},
    "a/b;q=0.2, a/b;q=0.8": {"a/b": 0.8},
    'a/b;title="x, c/d;q=1", e/f': {"e/f": 1},
    'a/b, c/d;title="never closed, e/f': {"a/b": 1},
    'a/b;title="ends in a backslash\\': {},
    ",,;;, ;q=1,": {},
}


@pytest.mark.parametrize(("field", "qualities"), QUALITIES.items())
def test_accept_is_parsed_by_the_grammar_of_rfc_9110(field: str, qualities: dict[str, float]) -> None:
    assert read_qualities(field) == qualities


@pytest.mark.parametrize(
    ("media_type", "quality"),
    [("text/html", (0.5, 2)), ("text/css", (0.2, 1)), ("image/png", (0.1, 0)), ("TEXT/HTML; charset=utf-8", (0.5, 2))],
)
def test_most_specific_range_decides_the_quality(media_type: str, quality: tuple[float, int]) -> None:
    assert quality_of(media_type, read_qualities("*/*;q=0.1, text/*;q=0.2, text/html;q=0.5")) == quality


def test_field_that_is_too_long_says_nothing() -> None:
    long = "application/json," * 100
    assert clipped(long) == ""
    assert read_qualities(long) == {}
    assert acceptable_codings("gzip," * 1000) == []
    assert clipped(None) == ""
