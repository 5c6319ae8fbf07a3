"""The clock: a table of moments. It is pure, so the time is ours."""

from __future__ import annotations

import itertools

import pytest

import stream_adapter as sa
from stream_adapter._pump import Clock

START = 100.0
SECONDS = (None, 1.0, 2.0, 3.0)


def clock(idle: float | None, total: float | None, keepalive: float | None) -> Clock:
    made = Clock(sa.Limits(idle_timeout=idle, total_timeout=total), START)
    made.keepalive = keepalive
    return made


@pytest.mark.parametrize(("idle", "total", "keepalive"), [*itertools.product(SECONDS, repeat=3)])
def test_each_deadline_is_due_at_its_moment_and_a_timeout_before_a_keepalive(
    idle: float | None, total: float | None, keepalive: float | None
) -> None:
    made = clock(idle, total, keepalive)
    given = [seconds for seconds in (idle, total, keepalive) if seconds is not None]
    assert made.runs == bool(given)
    assert made.rest(START) == (min(given) if given else None)
    for passed in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0):
        now = START + passed
        if total is not None and passed >= total:
            expected = "total_timeout"
        elif idle is not None and passed >= idle:
            expected = "idle_timeout"
        elif keepalive is not None and passed >= keepalive:
            expected = "keepalive"
        else:
            expected = None
        assert outcome(made, now) == expected
        assert made.rest(now) == (max(0.0, min(given) - passed) if given else None)


def outcome(made: Clock, now: float) -> str | None:
    try:
        return made.due(now)
    except sa.StreamTimeoutError as error:
        return error.reason


@pytest.mark.parametrize(
    ("idle", "total", "text"), [(1.5, None, "idle_timeout: 1.5 s"), (None, 2, "total_timeout: 2 s")]
)
def test_a_timeout_says_which_and_how_long(idle: float | None, total: float | None, text: str) -> None:
    with pytest.raises(sa.StreamTimeoutError, match=text):
        clock(idle, total, None).due(START + 10)


def test_an_item_puts_off_the_idle_timeout_and_not_the_total() -> None:
    made = clock(2.0, 3.0, None)
    made.item_at = START + 1.5
    assert made.rest(START + 1.5) == 1.5
    assert outcome(made, START + 2.5) is None
    assert outcome(made, START + 3.0) == "total_timeout"


def test_anything_that_is_sent_puts_off_the_keepalive() -> None:
    made = clock(None, None, 2.0)
    made.sent_at = START + 1.5
    assert outcome(made, START + 3.0) is None
    assert made.rest(START + 3.0) == 0.5
    assert outcome(made, START + 3.5) == "keepalive"


def test_before_commit_there_is_nothing_to_keep_alive() -> None:
    made = Clock(sa.Limits(), START)
    assert not made.runs
    assert made.rest(START) is None
    assert made.due(START + 1000) is None
