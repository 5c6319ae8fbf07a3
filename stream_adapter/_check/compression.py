"""What a browser sees of a compressed body, compared with the body without compression. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .decoding import Decoded, decode
from .finding import Finding, seconds, shown
from .probe import Probe
from .timing import timing_of

__all__ = ["compression_findings"]

_LEAVE_OUT = (
    "Do not compress this response: send Content-Encoding: identity (Django's and Starlette's GZipMiddleware and "
    "nginx's gzip skip responses with a Content-Encoding; Django's ignores no-transform), remove that middleware, or "
    "use a compressor that flushes after each chunk into one stream, as StreamAdapterMiddleware(compress=True) does."
)
_MUCH_LATER = 1.0  # seconds


def compression_findings(plain: Probe, compressed: Probe) -> Iterator[Finding]:
    """Compare a GET that accepts the codings of browsers with one that accepts none."""
    if compressed.status is None:
        text = f"No response to a request that accepts gzip: {shown(compressed.error or 'silence', 200)}"
        yield Finding("problem", "compression", text)
        return
    if not compressed.codings:
        return
    decoded = decode(compressed)
    if _is_torn(compressed, decoded):
        text = f"{shown(compressed.coding)} ends within the compressed data: the body was truncated on the way."
        yield Finding("problem", "truncated", text)
    problem = _broken(compressed, decoded) or _held_back(plain, compressed, decoded)
    if problem is not None:
        yield Finding("problem", "compression", problem)
    elif decoded.is_cut:
        text = f"{shown(compressed.coding)}: the decoded body exceeds what this check reads; the rest was not examined."
        yield Finding("advice", "compression", text)
    elif _flows(plain):
        yield Finding("ok", "compression", f"{shown(compressed.coding)}, with the same timing as without compression.")
    if "accept-encoding" not in compressed.headers.get("vary", "").lower():
        text = "The compression depends on Accept-Encoding: Vary must name it, or caches mix up the variants."
        yield Finding("advice", "Vary", text)


def _broken(probe: Probe, decoded: Decoded) -> str | None:
    """Return what is wrong with the encoded data."""
    coding = shown(probe.coding)
    if decoded.error is not None:
        return f"{coding} cannot be decoded: {shown(decoded.error)}. A browser shows an error, or the encoded bytes."
    if decoded.ignored:
        size = sum(len(read.data) for read in decoded.reads)
        return (
            f"{coding}: each chunk is compressed separately. The first part ends after {size} bytes of text; "
            f"{decoded.ignored} bytes follow, which browsers ignore. {_LEAVE_OUT}"
        )
    return None


def _is_torn(probe: Probe, decoded: Decoded) -> bool:
    """Return True if a body is complete for HTTP, and its encoded data are not."""
    ended = probe.ended_at is not None and probe.error is None and bool(probe.reads)
    return ended and decoded.error is None and not decoded.is_cut and not decoded.is_complete


def _held_back(plain: Probe, compressed: Probe, decoded: Decoded) -> str | None:
    """Return how compression delays the text, compared with the body without it."""
    if not _flows(plain):
        return None  # held back without compression as well: another finding reports that
    out = replace(compressed, reads=decoded.reads, headers={})
    seen, expected, coding = timing_of(out), timing_of(plain), shown(compressed.coding)
    size, plain_size = len(out.body), len(plain.body)
    if not size and compressed.reads:
        came = sum(len(read.data) for read in compressed.reads)
        return f"{coding}: {came} bytes arrived, and no text can be decoded: it is held back. {_LEAVE_OUT}"
    if seen.verdict not in {"streams", "begun"} or (seen.verdict == "begun" and size * 2 < plain_size):
        return f"{coding} holds the text back: {size} bytes of text, {plain_size} without compression. {_LEAVE_OUT}"
    late = (seen.first_byte or 0) - (expected.first_byte or 0)
    if late > max(_MUCH_LATER, 2 * (expected.gap_most or 0), 2 * (expected.first_byte or 0)):
        return f"{coding} delays the first text by {seconds(late)}. {_LEAVE_OUT}"
    gap, usual = seen.gap_median or 0, expected.gap_median or 0
    if expected.verdict == "streams" and gap > max(_MUCH_LATER, 4 * usual, 1.5 * (expected.gap_most or 0)):
        return f"{coding} gives text every {seconds(gap)}, every {seconds(usual)} without compression. {_LEAVE_OUT}"
    return None


def _flows(probe: Probe) -> bool:
    return timing_of(probe).verdict in {"streams", "begun"}
