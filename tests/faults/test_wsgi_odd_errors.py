"""Errors in odd places: told once in the log, nothing hangs, one close, and the summary has the right reason."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

import stream_adapter as sa
from stream_adapter.types import Environ
from tests.support.edges import call_wsgi, either_way

from .odd_sources import (
    Fatal,
    async_on_close_fails,
    counting,
    each_badly_closed,
    messages,
    on_close_fails,
    on_error_fails,
)


def environ() -> Environ:
    made: dict[str, Any] = {}
    setup_testing_defaults(made)
    return made


def start_response(*_: object) -> Callable[[bytes], object]:
    return lambda _: None


Summaries = list[sa.StreamSummary]


@each_badly_closed
def test_a_source_that_fails_to_close_is_logged_once(make: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    summaries: Summaries = []
    answer = call_wsgi(sa.Response(make(), flush="item", on_close=summaries.append).wsgi, leave_after=1)
    assert answer.error is None
    assert messages(caplog) == ["the source of a stream failed to close"]
    assert [summary.reason for summary in summaries] == ["disconnect"]


@pytest.mark.parametrize("on_close", [on_close_fails, async_on_close_fails])
@either_way
def test_an_on_close_that_fails_is_logged_once(
    way: str, on_close: Callable[[sa.StreamSummary], object], caplog: pytest.LogCaptureFixture
) -> None:
    source = counting(way, b"one")
    answer = call_wsgi(sa.Response(source, on_close=on_close).wsgi)
    assert answer.complete
    assert messages(caplog) == ["on_close failed"]
    assert source.closes == 1


@either_way
def test_an_on_error_that_fails_is_logged_beside_the_error(way: str, caplog: pytest.LogCaptureFixture) -> None:
    summaries: Summaries = []
    source = counting(way, b"one", LookupError("first"))
    answer = call_wsgi(sa.Response(source, flush="item", on_error=on_error_fails, on_close=summaries.append).wsgi)
    assert (answer.body, str(answer.error)) == (b"one", "first")
    assert messages(caplog) == ["a stream failed after it had begun; the connection is broken", "on_error failed"]
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1


@pytest.mark.parametrize("items", [(b"one", object()), (b"one", "\ud800"), (b"one", b"two", float("nan"))])
@either_way
def test_a_chunk_that_cannot_be_encoded_ends_the_stream(
    way: str, items: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    summaries: Summaries = []
    source = counting(way, *items)
    answer = call_wsgi(sa.Response(source, on_close=summaries.append).wsgi)
    assert isinstance(answer.error, sa.ChunkEncodingError)
    assert len(messages(caplog)) == 1
    assert [(summary.reason, summary.error) for summary in summaries] == [("error", answer.error)]
    assert source.closes == 1


@pytest.mark.parametrize("at", [0, 1, 2])
@either_way
def test_what_is_no_exception_ends_the_stream_too(way: str, at: int) -> None:
    summaries: Summaries = []
    source = counting(way, *[b"one"] * at, Fatal())
    body: Any = None
    with pytest.raises(Fatal):
        try:
            body = sa.Response(source, on_close=summaries.append).wsgi(environ(), start_response)
            list(body)
        finally:
            if body is not None:
                body.close()
    assert [summary.reason for summary in summaries] == ["error"]
    assert source.closes == 1


@either_way
def test_a_cancellation_of_the_sources_own_is_an_error(way: str) -> None:
    summaries: Summaries = []
    source = counting(way, b"one", asyncio.CancelledError())
    answer = call_wsgi(sa.Response(source, on_close=summaries.append).wsgi)
    assert isinstance(answer.error, RuntimeError)
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
    body = iter(sa.Response(source, limits=limits, on_close=summaries.append).wsgi(environ(), start_response))
    with contextlib.suppress(LookupError):
        list(body)
    assert [summary.reason for summary in summaries] == ["done" if len(items) == 1 else "error"]
    assert source.closes == 1
