"""From the probes to findings: what works, what should be improved, what is broken, and the remedies. Pure."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice, pairwise

from stream_adapter._media_types import EVENT_STREAM, ITEM_STREAMS

from .compression import compression_findings
from .ending import ending_findings
from .events import EventStream
from .finding import Finding, Level, seconds, shown
from .parallel import ParallelStreams, parallel_findings
from .probe import Probe
from .timing import Timing, timing_of

__all__ = ["EVENT_STREAM", "Finding", "Level", "findings_of", "last_id"]

_PROXIES_WAIT = 60.0  # seconds of silence after which nginx and most proxies close a connection
_LONGEST_ID = 4096  # bytes: servers accept 8 KiB per line, some of them for all fields together


def findings_of(
    plain: Probe,
    compressed: Probe | None,
    head: Probe | None,
    resumed: Probe | None,
    parallel: ParallelStreams | None = None,
) -> list[Finding]:
    """Return the findings about one endpoint.

    Args:
        plain: a GET without content codings.
        compressed: a GET with the codings that browsers accept.
        head: a HEAD.
        resumed: a GET with the last event id that was received, if there was one.
        parallel: more GETs without codings, sent while one was open.
    """
    if plain.status is None:
        return list(_unanswered(plain))
    found = [*_redirects(plain), *_status(plain), *_timing(plain), *_broken(plain), *_headers(plain)]
    found += ending_findings(plain)
    if plain.media_type == EVENT_STREAM:
        found += _events(plain)
    if compressed is not None:
        found += compression_findings(plain, compressed)
    if parallel is not None:
        found += parallel_findings(parallel)
    if head is not None:
        found += _head(plain, head)
    if resumed is not None:
        found += _resumed(plain, resumed)
    return found


def last_id(probe: Probe) -> str | None:
    """Return the id with which a browser would reconnect, if servers accept one of that length."""
    seen = _last_id(probe)
    return seen if seen and len(seen.encode()) <= _LONGEST_ID else None


def _last_id(probe: Probe) -> str | None:
    if probe.media_type != EVENT_STREAM or probe.coding:
        return None
    ids = probe.events.ids
    return ids[-1] if ids else None


def _unanswered(probe: Probe) -> Iterator[Finding]:
    if probe.error is not None:
        yield Finding("problem", "connection", f"No response: {shown(probe.error, 200)}")
        return
    yield Finding(
        "problem",
        "headers",
        "No status line was received. Either the source waits before its first item (commit_after= limits that), or a "
        "proxy or a middleware buffers the whole response.",
    )


def _redirects(probe: Probe) -> Iterator[Finding]:
    if probe.redirects:
        text = f"Redirected to {shown(probe.redirects[-1])}: a client that follows sends two requests per reconnect."
        yield Finding("advice", "redirect", text)
    if probe.misdirected is not None:
        yield Finding("problem", "redirect", f"The redirect cannot be followed: {shown(probe.misdirected, 200)}.")


def _status(probe: Probe) -> Iterator[Finding]:
    if probe.status == 204 and not probe.body:
        yield Finding("ok", "status", "204: there is nothing to stream; an EventSource must not reconnect after it.")
    elif probe.status is not None and not 200 <= probe.status < 300:
        yield Finding(
            "problem", "status", f"{probe.status} is not a success: the other findings concern an error page."
        )
    elif probe.media_type == EVENT_STREAM and probe.status != 200:
        yield Finding("problem", "status", f"{probe.status}: it must be 200, which is all that an EventSource accepts.")


def _timing(probe: Probe) -> Iterator[Finding]:
    timing = timing_of(probe)
    if timing.first_byte is not None:
        since = "" if probe.headers_at is None else f"Headers after {seconds(probe.headers_at)}, "
        yield Finding("ok", "first byte", f"{since}the first byte of the body after {seconds(timing.first_byte)}.")
    if probe.status != 204:
        yield _verdict(probe, timing)


def _verdict(probe: Probe, timing: Timing) -> Finding:
    level: Level = "problem"
    match timing.verdict:
        case "streams":
            level = "ok"
            gaps = f"gaps of {seconds(timing.gap_median)} (median), {seconds(timing.gap_most)} at most"
            text = f"It streams: {timing.reads} reads over {seconds(timing.span)}, {gaps}."
        case "begun" | "headers only" if probe.error is not None:
            level = "advice"
            text = "The connection broke before there was enough to decide."
        case "begun":
            level = "ok"
            text = f"{len(probe.body)} bytes arrived, then silence: the response is open, and nothing shows a buffer."
        case "too short":
            level = "advice"
            text = f"Complete after {seconds(probe.ended_at)}: too soon to decide. Check a response that takes longer."
        case "blocks" if not timing.torn:
            level = "advice"
            text = f"{_blocks(timing)}, which end with a line: the source yields pages, or collects lines."
        case "blocks":
            filled = f"a buffer of {(timing.buffer or 0) // 1024} KiB is filled before anything is sent"
            text = f"{_blocks(timing)}: {filled}. {_who_buffers(probe)}"
        case "at the end":
            text = (
                f"Nothing arrived for {seconds(timing.first_byte)}, then the whole body at once: it is buffered, or "
                f"its source computes everything before its first yield. {_who_buffers(probe)}"
            )
        case _:
            level = "problem" if probe.media_type == EVENT_STREAM else "advice"
            begin = "An event stream should start at once, with retry: or a comment."
            text = f"Headers arrived, and no byte of the body. {begin} {_who_buffers(probe)}"
    return Finding(level, "timing", text)


def _blocks(timing: Timing) -> str:
    return f"It arrives in blocks of about {timing.block} bytes, of many lines each"


def _who_buffers(probe: Probe) -> str:
    server = probe.headers.get("server", "").lower()
    if "nginx" in server and probe.headers.get("x-accel-buffering", "").lower() != "no":
        return "nginx buffers: set proxy_buffering off, or send X-Accel-Buffering: no from the app (nginx removes it)."
    if probe.headers.get("content-length") is not None:
        return "It has a Content-Length, so the whole body was collected before it was sent."
    if probe.headers.get("via") or probe.headers.get("x-cache") or probe.headers.get("cf-ray"):
        return "A proxy or CDN is involved (Via, X-Cache, CF-Ray): it must not buffer this path."
    return "Check proxies, and middleware that collects or compresses the body."


def _broken(probe: Probe) -> Iterator[Finding]:
    if probe.error is not None:
        text = f"It broke after {len(probe.body)} bytes: {shown(probe.error, 200)}"
        yield Finding("problem", "connection", text)


def _headers(probe: Probe) -> Iterator[Finding]:
    headers = probe.headers
    if "content-type" not in headers and probe.status != 204:
        yield Finding("problem", "Content-Type", "It must be sent: a browser waits for bytes to guess it from.")
    if probe.media_type.startswith("text/plain") and headers.get("x-content-type-options", "").lower() != "nosniff":
        yield Finding(
            "advice",
            "nosniff",
            "X-Content-Type-Options should be nosniff: browsers otherwise wait for bytes to sniff text/plain.",
        )
    if probe.media_type in ITEM_STREAMS and headers.get("content-length") is not None:
        yield Finding(
            "problem",
            "Content-Length",
            f"{shown(headers['content-length'])}: a live stream should not have a length.",
        )
    if probe.media_type == EVENT_STREAM:
        control = headers.get("cache-control", "").lower()
        if "no-cache" not in control and "no-store" not in control:
            yield Finding("advice", "Cache-Control", "It should have no-store, or a cache may keep the event stream.")
        if "no-transform" not in control:
            yield Finding(
                "advice",
                "Cache-Control",
                "It should have no-transform, or a proxy may compress and delay the events.",
            )
    if probe.version == "HTTP/1.1" and probe.media_type == EVENT_STREAM:
        yield Finding(
            "advice", "HTTP/1.1", "A browser opens at most six connections per host; HTTP/2 does not have that limit."
        )
    if probe.version == "HTTP/1.0":
        yield Finding(
            "advice",
            "HTTP/1.0",
            "It should be HTTP/1.1: without chunks, clients cannot distinguish a broken stream from a complete one.",
        )


def _events(probe: Probe) -> Iterator[Finding]:
    stream, about = probe.events, "event stream"
    for problem in islice(stream.problems, 5):
        yield Finding("problem", about, f"{problem[0].upper()}{problem[1:]}.")
    if stream.problem_count > 5:
        yield Finding("problem", about, f"And {stream.problem_count - 5} more problems.")
    if not stream.problems:
        retry = "no retry" if stream.retry is None else f"retry {stream.retry} ms"
        counts = f"{_count(stream.events, 'event')}, {len(stream.ids)} with an id, {retry}"
        yield Finding("ok", about, f"Valid: {counts}.")
    if stream.is_cut:
        yield Finding("advice", about, "It has more lines than this check reads; the rest was not examined.")
    seen = _last_id(probe)
    if seen is not None and len(seen.encode()) > _LONGEST_ID:
        text = f"The last id has {len(seen.encode())} bytes: servers refuse a Last-Event-ID of that length."
        yield Finding("problem", "reconnect", text)
    yield from _keepalive(probe, stream)


def _keepalive(probe: Probe, stream: EventStream) -> Iterator[Finding]:
    times = _times_of(probe, stream.comments)
    between = [later - earlier for earlier, later in pairwise(times)]
    silence = max((later.at - earlier.at for earlier, later in pairwise(probe.reads)), default=0.0)
    if between:
        interval = statistics.median(between)
        level: Level = "ok" if interval < _PROXIES_WAIT else "advice"
        yield Finding(
            level,
            "keepalive",
            f"A comment every {seconds(interval)}; proxies close connections after about 60 s of silence.",
        )
    elif silence > _PROXIES_WAIT:
        yield Finding(
            "problem",
            "keepalive",
            f"Silent for {seconds(silence)}: it should send comments; proxies close it after about 60 s.",
        )


def _times_of(probe: Probe, offsets: list[int]) -> list[float]:
    """Return when the bytes at these offsets arrived."""
    ends = list(accumulate(len(read.data) for read in probe.reads))
    return [probe.reads[bisect_right(ends, offset)].at for offset in offsets]


def _head(plain: Probe, head: Probe) -> Iterator[Finding]:
    if head.status is None:
        text = "It hangs: the stream runs, although a response to HEAD must not have a body."
        if head.error:
            text = f"No response: {shown(head.error, 200)}"
        yield Finding("problem", "HEAD", text)
    elif head.status == 405:
        yield Finding("advice", "HEAD", "405: HEAD must be supported wherever GET is (RFC 9110, 9.1).")
    elif head.status != plain.status:
        yield Finding("advice", "HEAD", f"{head.status}: it should be that of GET, {plain.status}.")
    else:
        yield Finding("ok", "HEAD", f"Answered after {seconds(head.headers_at)}, with the status of GET.")


def _resumed(plain: Probe, resumed: Probe) -> Iterator[Finding]:
    about, sent = "reconnect", shown(resumed.sent.get("Last-Event-ID"))
    if resumed.status is None:
        text = f"No response to Last-Event-ID: {sent}: {shown(resumed.error or 'silence', 200)}"
        yield Finding("problem", about, text)
    elif resumed.status == 204:
        yield Finding("ok", about, f"After id {sent} the status is 204, and the browser stops.")
    elif resumed.status != 200:
        yield Finding("problem", about, f"After id {sent} the status is {resumed.status}: the browser gives up.")
    elif not (again := resumed.events.ids):
        yield Finding("ok", about, f"After id {sent} the status is 200; no event with an id has arrived yet.")
    elif again[0] == plain.events.ids[0]:
        text = f"After id {sent} it starts again, with id {shown(again[0])}: it should honour Last-Event-ID."
        yield Finding("advice", about, text)
    else:
        yield Finding("ok", about, f"After id {sent} it continues with id {shown(again[0])}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
