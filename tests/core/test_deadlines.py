"""The deadlines, as a table of moments: the time is an argument."""

from __future__ import annotations

import itertools

import pytest

import stream_adapter as sa
from stream_adapter._pump import Deadlines

START = 100.0
SECONDS = (None, 1.0, 2.0, 3.0)


def deadlines(idle: float | None, total: float | None, keepalive: float | None) -> Deadlines:
    made = Deadlines(sa.Limits(idle_timeout=idle, total_timeout=total), START)
    made.keepalive = keepalive
    return made


@pytest.mark.parametrize(("idle", "total", "keepalive"), [*itertools.product(SECONDS, repeat=3)])
def test_deadline_passes_at_its_moment_and_timeouts_precede_keepalives(
    idle: float | None, total: float | None, keepalive: float | None
) -> None:
    made = deadlines(idle, total, keepalive)
    given = [seconds for seconds in (idle, total, keepalive) if seconds is not None]
    assert made.any_set == bool(given)
    assert made.time_left(START) == (min(given) if given else None)
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
        assert made.time_left(now) == (max(0.0, min(given) - passed) if given else None)


def outcome(made: Deadlines, now: float) -> str | None:
    try:
        return made.check(now)
    except sa.StreamTimeoutError as error:
        return error.reason


@pytest.mark.parametrize(
    ("idle", "total", "text"), [(1.5, None, "idle_timeout: 1.5 s"), (None, 2, "total_timeout: 2 s")]
)
def test_timeout_error_names_the_deadline_and_its_seconds(idle: float | None, total: float | None, text: str) -> None:
    with pytest.raises(sa.StreamTimeoutError, match=text):
        deadlines(idle, total, None).check(START + 10)


def test_item_restarts_idle_timeout_but_not_total_timeout() -> None:
    made = deadlines(2.0, 3.0, None)
    made.last_item_at = START + 1.5
    assert made.time_left(START + 1.5) == 1.5
    assert outcome(made, START + 2.5) is None
    assert outcome(made, START + 3.0) == "total_timeout"


def test_keepalive_is_due_after_silence_since_the_last_output() -> None:
    made = deadlines(None, None, 2.0)
    made.last_sent_at = START + 1.5
    assert outcome(made, START + 3.0) is None
    assert made.time_left(START + 3.0) == 0.5
    assert outcome(made, START + 3.5) == "keepalive"


def test_keepalive_is_not_due_before_commit() -> None:
    made = Deadlines(sa.Limits(), START)
    assert not made.any_set
    assert made.time_left(START) is None
    assert made.check(START + 1000) is None
