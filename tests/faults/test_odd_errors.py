"""Errors in odd places: one log record, nothing hangs, one close, and the summary has the right reason."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

import stream_adapter as sa
from stream_adapter.types import Environ
from tests.support.interfaces import Call, either_interface, either_way, four_paths

from .odd_sources import (
    Fatal,
    async_on_close_fails,
    counting,
    each_badly_closed,
    happened,
    on_close_fails,
    on_error_fails,
)

BROKEN = "failed after the response started"
Summaries = list[sa.StreamSummary]


@each_badly_closed
@either_interface
def test_a_source_that_fails_to_close_is_logged_once(
    call: Call, make: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    summaries: Summaries = []
    answer = call(sa.Response(make(), flush="item", on_close=summaries.append), leave_after=1)
    assert answer.error is None
    assert happened(caplog) == ["the source failed to close"]
    assert [summary.error for summary in summaries] == [None]


@pytest.mark.parametrize("on_close", [on_close_fails, async_on_close_fails])
@four_paths
def test_an_on_close_that_fails_is_logged_once(
    way: str, call: Call, on_close: Callable[[sa.StreamSummary], object], caplog: pytest.LogCaptureFixture
) -> None:
    source = counting(way, b"one")
    answer = call(sa.Response(source, on_close=on_close))
    assert answer.complete
    assert happened(caplog) == ["on_close failed"]
    assert source.closes == 1


@four_paths
def test_an_on_error_that_fails_is_logged_beside_the_error(
    way: str, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    summaries: Summaries = []
    source = counting(way, b"one", LookupError("first"))
    answer = call(sa.Response(source, flush="item", on_error=on_error_fails, on_close=summaries.append))
    assert (answer.body, str(answer.error), answer.complete) == (b"one", "first", False)
    assert sorted(happened(caplog)) == [BROKEN, "on_error failed"]
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1


@pytest.mark.parametrize("items", [(b"one", object()), (b"one", "\ud800"), (b"one", b"two", float("nan"))])
@four_paths
def test_a_chunk_that_cannot_be_encoded_ends_the_stream(
    way: str, call: Call, items: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    summaries: Summaries = []
    source = counting(way, *items)
    answer = call(sa.Response(source, on_close=summaries.append))
    assert isinstance(answer.error, sa.ChunkEncodingError)
    assert not answer.complete
    assert happened(caplog) == [BROKEN]
    assert [(summary.reason, summary.error) for summary in summaries] == [("error", answer.error)]
    assert source.closes == 1


@pytest.mark.parametrize("at", [0, 1, 2])
@four_paths
def test_base_exception_ends_the_stream(way: str, call: Call, at: int) -> None:
    summaries: Summaries = []
    source = counting(way, *[b"one"] * at, Fatal())
    with pytest.raises(Fatal):
        call(sa.Response(source, on_close=summaries.append))
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("raised", [asyncio.CancelledError, GeneratorExit])
@four_paths
def test_a_cancellation_of_the_sources_own_is_an_error(
    way: str, call: Call, raised: type[BaseException], at: int, caplog: pytest.LogCaptureFixture
) -> None:
    summaries: Summaries = []
    source = counting(way, *[b"one"] * at, raised())
    answer = call(sa.Response(source, on_close=summaries.append))
    assert isinstance(answer.error, RuntimeError)
    assert happened(caplog) == [BROKEN] * at
    assert not answer.complete
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1


@pytest.mark.parametrize("limits", [sa.Limits(), sa.Limits(idle_timeout=60)], ids=["direct", "in a thread"])
@pytest.mark.parametrize("items", [(b"one",), (b"one", LookupError("after one"))], ids=["done", "error"])
@either_way
def test_a_stream_that_has_ended_is_closed_although_its_server_does_not_close_it(
    way: str, items: tuple[object, ...], limits: sa.Limits
) -> None:
    summaries: Summaries = []
    source = counting(way, *items)
    response = sa.Response(source, limits=limits, on_close=summaries.append)
    body = iter(response.wsgi(environ(), start_response))
    with contextlib.suppress(LookupError):
        list(body)
    assert [summary.reason for summary in summaries] == ["done" if len(items) == 1 else "error"]
    assert source.closes == 1


def start_response(*_: object) -> Callable[[bytes], object]:
    return lambda _: None


def environ() -> Environ:
    made: dict[str, Any] = {}
    setup_testing_defaults(made)
    return made
