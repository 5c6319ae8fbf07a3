"""Streams parallel to an open one: does a second one wait for the first? Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .finding import Finding, seconds, shown
from .probe import Probe

__all__ = ["ParallelStreams", "extra_streams", "parallel_findings"]

_SLOW = 1.0  # seconds that a busy server may take longer for the next than for the first


@dataclass(slots=True)
class ParallelStreams:
    """A stream, and others that were opened while it was open.

    Attributes:
        first: the stream that was opened first.
        others: the streams opened after it, on its connection (HTTP/2) or on further connections.
        waited: seconds within which the others had to start.
    """

    first: Probe
    others: list[Probe] = field(default_factory=list[Probe])
    waited: float = 0.0


def extra_streams(version: str) -> int:
    """Return how many streams to add: a browser opens six connections per host over HTTP/1.1, and one over HTTP/2."""
    return 5 if version.startswith("HTTP/1") else 1


def parallel_findings(parallel: ParallelStreams) -> Iterator[Finding]:
    """Report whether the others waited for the first."""
    others = parallel.others
    if not others or parallel.first.error is not None:
        return
    http2 = not parallel.first.version.startswith("HTTP/1")
    where = "on the same HTTP/2 connection" if http2 else "on connections of their own, as in a browser"
    refused = [other for other in others if other.error is not None or (other.status or 200) >= 400]
    waiting = [other for other in others if other not in refused and _waits(parallel, other)]
    if refused:
        why = refused[0].error or refused[0].status
        text = f"{len(refused)} of {len(others)} more streams, {where}, were refused: {shown(why)}."
        yield Finding("advice", "second stream", text)
    if len(waiting) == len(others):
        remedy = (
            "every later request of that browser waits for the open stream. Use a server that serves the streams of a "
            "connection concurrently, or HTTP/1.1 (gunicorn's threads with HTTP/2 serve one at a time)."
            if http2
            else "the server has one worker or thread, or a proxy has one connection to it. Give it more threads "
            "(gunicorn --threads), or use an ASGI server."
        )
        yield Finding("problem", "second stream", f"A second stream, {where}, waits while the first is open: {remedy}")
    elif waiting:
        text = f"{len(waiting)} of {len(others)} more streams, {where}, waited: the server has too few threads for all."
        yield Finding("advice", "second stream", text)
    elif not refused:
        latest = max(_latency(other) or 0.0 for other in others)
        count = "One more stream" if len(others) == 1 else f"{len(others)} more streams"
        yield Finding("ok", "second stream", f"{count}, {where}, started within {seconds(latest)}.")


def _latency(probe: Probe) -> float | None:
    """Return the seconds until the first byte of the body arrived, or its end."""
    first = next((read.at for read in probe.reads if read.data), None)
    return probe.ended_at if first is None else first


def _waits(parallel: ParallelStreams, other: Probe) -> bool:
    took, usual = _latency(other), _latency(parallel.first) or 0.0
    if took is None:
        return parallel.waited > usual + _SLOW
    if took <= usual + _SLOW:
        return False
    end = parallel.first.ended_at
    return end is not None and other.begun_at + took >= parallel.first.begun_at + end
