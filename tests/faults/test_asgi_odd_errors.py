"""Errors in odd places: told once in the log, nothing hangs, one close, and the summary has the right reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import stream_adapter as sa
from tests.support.edges import call_asgi, either_way

from .odd_sources import (
    Fatal,
    async_on_close_fails,
    counting,
    each_badly_closed,
    messages,
    on_close_fails,
    on_error_fails,
)

BROKEN = "a stream failed after it had begun; the connection is broken"

Summaries = list[sa.StreamSummary]


@each_badly_closed
def test_a_source_that_fails_to_close_is_logged_once(make: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    summaries: Summaries = []
    answer = call_asgi(sa.Response(make(), flush="item", on_close=summaries.append).asgi, leave_after=1)
    assert answer.error is None
    assert messages(caplog) == ["the source of a stream failed to close"]
    assert [summary.error for summary in summaries] == [None]


@pytest.mark.parametrize("on_close", [on_close_fails, async_on_close_fails])
@either_way
def test_an_on_close_that_fails_is_logged_once(
    way: str, on_close: Callable[[sa.StreamSummary], object], caplog: pytest.LogCaptureFixture
) -> None:
    source = counting(way, b"one")
    answer = call_asgi(sa.Response(source, on_close=on_close).asgi)
    assert answer.complete
    assert messages(caplog) == ["on_close failed"]
    assert source.closes == 1


@either_way
def test_an_on_error_that_fails_is_logged_beside_the_error(way: str, caplog: pytest.LogCaptureFixture) -> None:
    summaries: Summaries = []
    source = counting(way, b"one", LookupError("first"))
    answer = call_asgi(sa.Response(source, flush="item", on_error=on_error_fails, on_close=summaries.append).asgi)
    assert (answer.body, str(answer.error), answer.complete) == (b"one", "first", False)
    assert messages(caplog) == [BROKEN, "on_error failed"]
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1


@pytest.mark.parametrize("items", [(b"one", object()), (b"one", "\ud800"), (b"one", b"two", float("nan"))])
@either_way
def test_a_chunk_that_cannot_be_encoded_ends_the_stream(
    way: str, items: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    summaries: Summaries = []
    source = counting(way, *items)
    answer = call_asgi(sa.Response(source, on_close=summaries.append).asgi)
    assert isinstance(answer.error, sa.ChunkEncodingError)
    assert not answer.complete
    assert messages(caplog) == [BROKEN]
    assert [(summary.reason, summary.error) for summary in summaries] == [("error", answer.error)]
    assert source.closes == 1


@pytest.mark.parametrize("at", [0, 1, 2])
@either_way
def test_what_is_no_exception_ends_the_stream_too(way: str, at: int) -> None:
    summaries: Summaries = []
    source = counting(way, *[b"one"] * at, Fatal())
    with pytest.raises(Fatal):
        call_asgi(sa.Response(source, on_close=summaries.append).asgi)
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("raised", [asyncio.CancelledError, GeneratorExit])
@either_way
def test_a_cancellation_of_the_sources_own_is_an_error(way: str, raised: type[BaseException], at: int) -> None:
    summaries: Summaries = []
    source = counting(way, *[b"one"] * at, raised())
    answer = call_asgi(sa.Response(source, on_close=summaries.append).asgi)
    assert isinstance(answer.error, RuntimeError)
    assert not answer.complete
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1
