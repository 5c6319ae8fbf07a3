"""More streams beside an open one: does a second one wait for the first? Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .finding import Finding, seconds, shown
from .probe import Probe

__all__ = ["Beside", "beside_findings", "how_many"]

_SLOW = 1.0  # seconds that a busy server may take longer for the next than for the first


@dataclass(slots=True)
class Beside:
    """Streams that were opened while one was open.

    Attributes:
        first: the one that was open.
        others: those that were opened then, on its connection (HTTP/2) or on more of them.
        waited: seconds that the others were given.
    """

    first: Probe
    others: list[Probe] = field(default_factory=list[Probe])
    waited: float = 0.0


def how_many(version: str) -> int:
    """Return how many more a browser opens: six connections to a host over HTTP/1.1, and one for all over HTTP/2."""
    return 5 if version.startswith("HTTP/1") else 1


def beside_findings(beside: Beside) -> Iterator[Finding]:
    """Say whether they waited for the first."""
    others = beside.others
    if not others or beside.first.error is not None:
        return
    http2 = not beside.first.version.startswith("HTTP/1")
    where = "on the same HTTP/2 connection" if http2 else "on connections of their own, as a browser opens them"
    refused = [other for other in others if other.error is not None or (other.status or 200) >= 400]
    waiting = [other for other in others if other not in refused and _waits(beside, other)]
    if refused:
        why = refused[0].error or refused[0].status
        text = f"{len(refused)} of {len(others)} more, {where}, were refused while the first was open: {shown(why)}."
        yield Finding("advice", "second stream", text)
    if len(waiting) == len(others):
        remedy = (
            "every later request of that browser waits behind an open stream. Use a server that runs the streams of "
            "one connection beside each other, or HTTP/1.1 (gunicorn's threads with HTTP/2 serve one at a time)."
            if http2
            else "the server has one worker or thread, or what is between has one connection to it. Give it more "
            "threads (gunicorn --threads), or serve it by ASGI."
        )
        yield Finding("problem", "second stream", f"A second one, {where}, waits while the first is open: {remedy}")
    elif waiting:
        text = f"{len(waiting)} of {len(others)} more, {where}, waited: the server has as many threads as the rest."
        yield Finding("advice", "second stream", text)
    elif not refused:
        latest = max(_latency(other) or 0.0 for other in others)
        count = "One more" if len(others) == 1 else f"{len(others)} more"
        yield Finding("ok", "second stream", f"{count}, {where}, began within {seconds(latest)} beside the first.")


def _latency(probe: Probe) -> float | None:
    """Return after how long the first byte of a body came, or its end."""
    first = next((read.at for read in probe.reads if read.data), None)
    return probe.ended_at if first is None else first


def _waits(beside: Beside, other: Probe) -> bool:
    took, usual = _latency(other), _latency(beside.first) or 0.0
    if took is None:
        return beside.waited > usual + _SLOW
    if took <= usual + _SLOW:
        return False
    end = beside.first.ended_at
    return end is not None and other.begun_at + took >= beside.first.begun_at + end
