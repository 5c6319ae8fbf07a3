"""What a browser sees where a body is compressed for it, beside what came without. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .decoding import Decoded, decode
from .finding import Finding, seconds, shown
from .probe import Probe
from .timing import cadence_of

__all__ = ["compression_findings"]

_LEAVE_OUT = (
    "Leave this response out: send Content-Encoding: identity with it (Django's and Starlette's GZipMiddleware and "
    "nginx's gzip pass on what has a Content-Encoding; Django's does not look at no-transform), take that middleware "
    "off, or use a compressor that flushes into one stream, as StreamAdapterMiddleware(compress=True) does."
)
_MUCH_LATER = 1.0  # seconds


def compression_findings(plain: Probe, compressed: Probe) -> Iterator[Finding]:
    """Compare a GET that accepts what browsers accept with one that accepts no coding."""
    if compressed.status is None:
        text = f"No response to a request that accepts gzip: {shown(compressed.error or 'silence', 200)}"
        yield Finding("problem", "compression", text)
        return
    if not compressed.codings:
        return
    decoded = decode(compressed)
    if _is_torn(compressed, decoded):
        text = f"{shown(compressed.coding)} ends within the compressed data: the body was cut on its way."
        yield Finding("problem", "truncated", text)
    problem = _broken(compressed, decoded) or _held_back(plain, compressed, decoded)
    if problem is not None:
        yield Finding("problem", "compression", problem)
    elif decoded.is_cut:
        text = f"{shown(compressed.coding)}: a small body becomes more than is read here; the rest was not looked at."
        yield Finding("advice", "compression", text)
    elif _flows(plain):
        yield Finding("ok", "compression", f"{shown(compressed.coding)}, and it comes as it does without.")
    if "accept-encoding" not in compressed.headers.get("vary", "").lower():
        text = "It is compressed by Accept-Encoding, and does not say so: caches mix them up."
        yield Finding("advice", "Vary", text)


def _broken(probe: Probe, decoded: Decoded) -> str | None:
    """Return what is wrong with the coded data themselves."""
    coding = shown(probe.coding)
    if decoded.error is not None:
        return f"{coding} cannot be decoded: {shown(decoded.error)}. A browser shows an error, or the coded bytes."
    if decoded.ignored:
        size = sum(len(read.data) for read in decoded.reads)
        return (
            f"{coding}: the first part ends after {size} bytes of text, and {decoded.ignored} bytes follow that no "
            f"browser reads: each chunk is compressed by itself. {_LEAVE_OUT}"
        )
    return None


def _is_torn(probe: Probe, decoded: Decoded) -> bool:
    """Return True if HTTP calls a body complete whose coded data are not."""
    ended = probe.ended_at is not None and probe.error is None and bool(probe.reads)
    return ended and decoded.error is None and not decoded.is_cut and not decoded.is_complete


def _held_back(plain: Probe, compressed: Probe, decoded: Decoded) -> str | None:
    """Return how what comes out of a coding is late, where the same came in time without it."""
    if not _flows(plain):
        return None  # what holds that back is another finding, and not the compressor
    out = replace(compressed, reads=decoded.reads, headers={})
    seen, expected, coding = cadence_of(out), cadence_of(plain), shown(compressed.coding)
    size, plain_size = len(out.body), len(plain.body)
    if not size and compressed.reads:
        came = sum(len(read.data) for read in compressed.reads)
        return f"{coding}: {came} bytes came, and not one of text comes out of them: it is held back. {_LEAVE_OUT}"
    if seen.verdict not in {"streams", "begun"} or (seen.verdict == "begun" and size * 2 < plain_size):
        return f"{coding} holds back what streams without it: {size} bytes of text, {plain_size} without. {_LEAVE_OUT}"
    late = (seen.first_byte or 0) - (expected.first_byte or 0)
    if late > max(_MUCH_LATER, 2 * (expected.gap_most or 0), 2 * (expected.first_byte or 0)):
        return f"{coding} holds back the first {seconds(late)} of what streams without it. {_LEAVE_OUT}"
    gap, usual = seen.gap_median or 0, expected.gap_median or 0
    if expected.verdict == "streams" and gap > max(_MUCH_LATER, 4 * usual, 1.5 * (expected.gap_most or 0)):
        return f"{coding} gives text every {seconds(gap)}, where it comes every {seconds(usual)} without. {_LEAVE_OUT}"
    return None


def _flows(probe: Probe) -> bool:
    return cadence_of(probe).verdict in {"streams", "begun"}
