"""What is sent is what is read, whatever it is and however its bytes are cut: httpx-sse is the parser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
from httpx_sse import EventSource
from hypothesis import given, settings
from hypothesis import strategies as st

import stream_adapter as sa

LINES = st.text().filter(lambda text: not re.search(r"[\r\n\0]", text))
DATA = st.text() | st.text(alphabet="\r\n\0\u2028\x85 :ab\ufeff")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner | st.text(), max_size=3) | st.dictionaries(st.text(), inner | st.text(), max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    sa.ServerSentEvent,
    data=DATA,
    event=st.none() | LINES,
    id=st.none() | LINES,
    retry=st.none() | st.integers(min_value=0, max_value=10**12),
    comment=st.none() | DATA,
)


class Cut(httpx.SyncByteStream):
    """A body in pieces of given lengths, over and over."""

    def __init__(self, body: bytes, lengths: list[int]) -> None:
        self._body = body
        self._lengths = lengths

    def __iter__(self) -> Iterator[bytes]:
        start = 0
        while start < len(self._body):
            for length in self._lengths:
                yield self._body[start : start + length]
                start += length


CUTS = st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=5)


def sent_and_read(items: list[Any], cuts: list[int]) -> Any:
    body = b"".join(sa.iter_bytes(sa.sse(items, retry=None)))
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Cut(body, cuts))
    return EventSource(response).iter_sse()


@settings(deadline=None)  # how long it takes is not what is tested
@given(events=st.lists(EVENTS), cuts=CUTS)
def test_events_are_read_as_they_were_sent(events: list[sa.ServerSentEvent], cuts: list[int]) -> None:
    last = ""
    for event, read in zip(events, sent_and_read(events, cuts), strict=True):
        last = last if event.id is None else event.id
        data = re.sub(r"\r\n?", "\n", str(event.data))
        assert (read.data, read.event, read.id, read.retry) == (data, event.event or "message", last, event.retry)


@settings(deadline=None)  # how long it takes is not what is tested
@given(values=st.lists(JSON), cuts=CUTS)
def test_json_values_are_read_as_they_were_sent(values: list[Any], cuts: list[int]) -> None:
    assert [json.loads(read.data) for read in sent_and_read(values, cuts)] == values
