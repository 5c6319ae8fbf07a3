"""The goals of stream_adapter, path by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.contenders import Path
from benchmarks.rounds import Timing
from benchmarks.table import Goal

__all__ = ["goals_of"]


class _Target(NamedTuple):
    subject: str
    beside: str
    at_most: float


_TARGETS = {
    "async → ASGI": [_Target("Response", "floor", 1.6), _Target("Response", "Starlette", 1 / 2)],
    "sync → ASGI": [
        _Target("Response", "floor", 3),
        _Target("Response", "Starlette", 1 / 100),
        _Target("Flask by to_asgi", "Flask by a2wsgi", 1 / 40),
        _Target("Flask by to_asgi", "Flask by asgiref", 1 / 40),
    ],
    "sync → WSGI": [
        _Target("Response", "bare loop", 2),
        _Target("Response, bulk", "floor", 1.5),
        _Target("Response", "Django", 1 / 4),
    ],
    "async → WSGI": [
        _Target("Response", "floor", 5),
        _Target("Response", "a2wsgi", 1 / 50),
        _Target("Starlette by to_wsgi", "Starlette by a2wsgi", 1 / 30),
    ],
}
_INTEGRATION = 1.2  # of the plain Response


def goals_of(path: Path, timings: Mapping[str, Timing], row_alone: Mapping[str, float]) -> Iterator[Goal]:
    """Compare what was measured on one path, best round with best round.

    Args:
        path: which one.
        timings: by contender.
        row_alone: the best round without what the request itself costs, by contender; for the integrations.
    """
    for subject, beside, at_most in _TARGETS[path.name]:
        if subject in timings and beside in timings:
            yield Goal(f"{subject} / {beside}", timings[subject].best / timings[beside].best, at_most)
    for contender in path.contenders:
        if contender.own is not None and contender.name in timings:
            ratio = row_alone[contender.name] / row_alone["Response"]
            yield Goal(f"{contender.name} / Response, a row alone", ratio, _INTEGRATION)
