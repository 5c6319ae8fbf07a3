"""decode(encode(items)) == items, by other parsers, however the bytes are batched and cut."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import ijson.backends.python as ijson  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has none
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream_adapter as sa
from stream_adapter.types import Flush
from tests.formats.parsers import json_seq_of
from tests.support.sources import in_way

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
ITEMS = st.lists(VALUES, max_size=6)
CUTS = st.lists(st.integers(1, 20), min_size=1, max_size=8)
FLUSHES: st.SearchStrategy[Flush] = st.sampled_from(["auto", "item", "bulk"])

each_way = pytest.mark.parametrize("way", ["sync", "async"])


def body_of(response: sa.Response) -> bytes:
    return b"".join(sa.iter_bytes(response))


def cut(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Cut a body into pieces of these sizes, over and over."""
    while body:
        for size in sizes:
            yield body[:size]
            body = body[size:]


class Pieces(io.RawIOBase):
    """A file whose `read` returns one piece after the other, as a socket does."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return next(filter(None, self._pieces), b"") if size else b""


@each_way
@given(items=ITEMS, flush=FLUSHES)
@settings(deadline=None, max_examples=60)
def test_ndjson_round_trip_is_the_same_items(way: str, items: list[Any], flush: Flush) -> None:
    body = body_of(sa.ndjson(in_way(way, iter(items)), flush=flush))
    assert body.count(b"\n") == len(items)
    assert [json.loads(line) for line in body.split(b"\n")[:-1]] == items


@each_way
@given(items=ITEMS, flush=FLUSHES, sizes=CUTS)
@settings(deadline=None, max_examples=60)
def test_json_array_round_trip_is_the_same_items(way: str, items: list[Any], flush: Flush, sizes: list[int]) -> None:
    body = body_of(sa.json_array(in_way(way, iter(items)), flush=flush))
    assert json.loads(body) == items
    read: list[Any] = list(ijson.items(Pieces(cut(body, sizes)), "item", use_float=True))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]  # no types
    assert read == items


@each_way
@given(items=ITEMS, flush=FLUSHES, sizes=CUTS)
@settings(deadline=None, max_examples=60)
def test_json_seq_round_trip_is_the_same_items(way: str, items: list[Any], flush: Flush, sizes: list[int]) -> None:
    body = body_of(sa.json_seq(in_way(way, iter(items)), flush=flush))
    assert list(json_seq_of(cut(body, sizes))) == items


ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width), min_size=1, max_size=6)
)
DIALECTS = st.sampled_from(["excel", "excel-tab", "unix"])


@each_way
@given(rows=ROWS, flush=FLUSHES, dialect=DIALECTS, charset=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
@settings(deadline=None, max_examples=60)
def test_csv_round_trip_of_sequences_is_the_same_cells(
    way: str, rows: list[list[str]], flush: Flush, dialect: str, charset: str
) -> None:
    response = sa.csv(in_way(way, iter(rows)), flush=flush, dialect=dialect, charset=charset)
    text = io.StringIO(body_of(response).decode(charset), newline="")
    assert list(csv.reader(text, dialect)) == rows


@each_way
@given(rows=ROWS, flush=FLUSHES, bom=st.booleans())
@settings(deadline=None, max_examples=60)
def test_csv_round_trip_of_mappings_is_the_same_cells(
    way: str, rows: list[list[str]], flush: Flush, *, bom: bool
) -> None:
    columns = [f"column, {number}" for number in range(len(rows[0]))]
    mappings = [dict(zip(columns, row, strict=True)) for row in rows]
    body = body_of(sa.csv(in_way(way, iter(mappings)), flush=flush, bom=bom))
    text = io.StringIO(body.decode("utf-8-sig" if bom else "utf-8"), newline="")
    assert list(csv.DictReader(text)) == mappings
