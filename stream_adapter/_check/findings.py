"""From what arrived to findings: what is well, what could be better, what is broken, and what to do about it. Pure."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice, pairwise

from stream_adapter._media_types import EVENT_STREAM, ITEM_STREAMS

from .beside import Beside, beside_findings
from .compression import compression_findings
from .ending import ending_findings
from .events import EventStream
from .finding import Finding, Level, seconds, shown
from .probe import Probe
from .timing import Cadence, cadence_of

__all__ = ["EVENT_STREAM", "Finding", "Level", "judge", "last_id"]

_PROXIES_WAIT = 60.0  # seconds of silence after which nginx, and most others, cut a connection
_LONGEST_ID = 4096  # bytes: servers take 8 KiB for a line, and some for all fields


def judge(
    plain: Probe,
    compressed: Probe | None,
    head: Probe | None,
    resumed: Probe | None,
    beside: Beside | None = None,
) -> list[Finding]:
    """Say what was found.

    Args:
        plain: a GET without content codings.
        compressed: a GET with those that browsers offer.
        head: a HEAD.
        resumed: a GET with the last id that was seen, if there was one.
        beside: more of the first kind, opened while one was open.
    """
    if plain.status is None:
        return list(_unanswered(plain))
    found = [*_redirects(plain), *_status(plain), *_cadence(plain), *_broken(plain), *_headers(plain)]
    found += ending_findings(plain)
    if plain.media_type == EVENT_STREAM:
        found += _events(plain)
    if compressed is not None:
        found += compression_findings(plain, compressed)
    if beside is not None:
        found += beside_findings(beside)
    if head is not None:
        found += _head(plain, head)
    if resumed is not None:
        found += _resumed(plain, resumed)
    return found


def last_id(probe: Probe) -> str | None:
    """Return the id with which a browser would reconnect, if a server takes one as long as that."""
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
        "Not even a status line came. Either the source waits before its first item (commit_after= bounds that), or "
        "something between buffers the whole response.",
    )


def _redirects(probe: Probe) -> Iterator[Finding]:
    if probe.redirects:
        text = f"It is redirected to {shown(probe.redirects[-1])}: a client that follows asks twice at each reconnect."
        yield Finding("advice", "redirect", text)
    if probe.misdirected is not None:
        yield Finding("problem", "redirect", f"It is redirected to where nothing is: {shown(probe.misdirected, 200)}.")


def _status(probe: Probe) -> Iterator[Finding]:
    if probe.status == 204 and not probe.body:
        yield Finding("ok", "status", "204: nothing to stream; an EventSource stops here.")
    elif probe.status is not None and not 200 <= probe.status < 300:
        yield Finding("problem", "status", f"{probe.status} is not a success: the rest is about an error page.")
    elif probe.media_type == EVENT_STREAM and probe.status != 200:
        yield Finding("problem", "status", f"{probe.status}: an EventSource accepts 200 only.")


def _cadence(probe: Probe) -> Iterator[Finding]:
    cadence = cadence_of(probe)
    if cadence.first_byte is not None:
        since = "" if probe.headers_at is None else f"Headers after {seconds(probe.headers_at)}, "
        yield Finding("ok", "first byte", f"{since}the first byte of the body after {seconds(cadence.first_byte)}.")
    if probe.status != 204:
        yield _verdict(probe, cadence)


def _verdict(probe: Probe, cadence: Cadence) -> Finding:
    level: Level = "problem"
    match cadence.verdict:
        case "streams":
            level = "ok"
            gaps = f"gaps of {seconds(cadence.gap_median)} (median), {seconds(cadence.gap_most)} at most"
            text = f"It streams: {cadence.reads} reads over {seconds(cadence.span)}, {gaps}."
        case "begun" | "headers only" if probe.error is not None:
            level = "advice"
            text = "The connection broke before there was enough to tell."
        case "begun":
            level = "ok"
            text = f"{len(probe.body)} bytes came, and then silence: it is open, and nothing is known to be held."
        case "too short":
            level = "advice"
            text = f"It was complete after {seconds(probe.ended_at)}: too soon to tell. Check one that takes a while."
        case "blocks" if not cadence.torn:
            level = "advice"
            text = f"{_blocks(cadence)}, and whole ones: its source yields pages, or collects them."
        case "blocks":
            filled = f"a buffer of {(cadence.buffer or 0) // 1024} KiB is filled before anything passes"
            text = f"{_blocks(cadence)}: {filled}. {_who_buffers(probe)}"
        case "at the end":
            text = (
                f"Nothing came for {seconds(cadence.first_byte)}, and then all of it at once: it is buffered whole, "
                f"or its source computes everything before it yields. {_who_buffers(probe)}"
            )
        case _:
            level = "problem" if probe.media_type == EVENT_STREAM else "advice"
            begin = "An event stream should begin at once, with retry: or a comment."
            text = f"Headers came, and no byte of the body. {begin} {_who_buffers(probe)}"
    return Finding(level, "cadence", text)


def _blocks(cadence: Cadence) -> str:
    return f"It comes in blocks of about {cadence.block} bytes, many lines each"


def _who_buffers(probe: Probe) -> str:
    server = probe.headers.get("server", "").lower()
    if "nginx" in server and probe.headers.get("x-accel-buffering", "").lower() != "no":
        return "nginx answers: proxy_buffering off, or X-Accel-Buffering: no from the app (nginx eats that header)."
    if probe.headers.get("content-length") is not None:
        return "It has a Content-Length, so something knew all of it before it was sent."
    if probe.headers.get("via") or probe.headers.get("x-cache") or probe.headers.get("cf-ray"):
        return "A proxy or CDN is between (Via, X-Cache, CF-Ray): have it pass this path unbuffered."
    return "Look at the proxies between, and at middleware that collects or compresses the body."


def _broken(probe: Probe) -> Iterator[Finding]:
    if probe.error is not None:
        text = f"It broke after {len(probe.body)} bytes: {shown(probe.error, 200)}"
        yield Finding("problem", "connection", text)


def _headers(probe: Probe) -> Iterator[Finding]:
    headers = probe.headers
    if "content-type" not in headers and probe.status != 204:
        yield Finding("problem", "Content-Type", "There is none: a browser guesses, and waits for bytes to guess from.")
    if probe.media_type.startswith("text/plain") and headers.get("x-content-type-options", "").lower() != "nosniff":
        yield Finding(
            "advice", "nosniff", "X-Content-Type-Options: nosniff keeps browsers from waiting to sniff text/plain."
        )
    if probe.media_type in ITEM_STREAMS and headers.get("content-length") is not None:
        yield Finding(
            "problem", "Content-Length", f"{shown(headers['content-length'])}: a live stream was collected whole."
        )
    if probe.media_type == EVENT_STREAM:
        control = headers.get("cache-control", "").lower()
        if "no-cache" not in control and "no-store" not in control:
            yield Finding("advice", "Cache-Control", "Say no-store, or a cache may keep an event stream.")
        if "no-transform" not in control:
            yield Finding(
                "advice", "Cache-Control", "Say no-transform, or a proxy may compress, and so hold, the events."
            )
    if probe.version == "HTTP/1.1" and probe.media_type == EVENT_STREAM:
        yield Finding("advice", "HTTP/1.1", "A browser opens six connections a host at most; HTTP/2 has no such limit.")
    if probe.version == "HTTP/1.0":
        yield Finding("advice", "HTTP/1.0", "Without chunks a client cannot tell a broken stream from a whole one.")


def _events(probe: Probe) -> Iterator[Finding]:
    stream, about = probe.events, "event stream"
    for problem in islice(stream.problems, 5):
        yield Finding("problem", about, f"{problem[0].upper()}{problem[1:]}.")
    if stream.problem_count > 5:
        yield Finding("problem", about, f"And {stream.problem_count - 5} more like these.")
    if not stream.problems:
        retry = "no retry" if stream.retry is None else f"retry {stream.retry} ms"
        counts = f"{_count(stream.events, 'event')}, {len(stream.ids)} with an id, {retry}"
        yield Finding("ok", about, f"Valid: {counts}.")
    if stream.is_cut:
        yield Finding("advice", about, "It has more lines than are read here; those after them are not judged.")
    seen = _last_id(probe)
    if seen is not None and len(seen.encode()) > _LONGEST_ID:
        text = f"The last id has {len(seen.encode())} bytes: a server refuses a Last-Event-ID as long as that."
        yield Finding("problem", "reconnect", text)
    yield from _keepalive(probe, stream)


def _keepalive(probe: Probe, stream: EventStream) -> Iterator[Finding]:
    times = _times_of(probe, stream.comments)
    between = [later - earlier for earlier, later in pairwise(times)]
    silence = max((later.at - earlier.at for earlier, later in pairwise(probe.reads)), default=0.0)
    if between:
        interval = statistics.median(between)
        level: Level = "ok" if interval < _PROXIES_WAIT else "advice"
        yield Finding(level, "keepalive", f"A comment every {seconds(interval)}; proxies cut at about 60 s of silence.")
    elif silence > _PROXIES_WAIT:
        yield Finding(
            "problem", "keepalive", f"Silent for {seconds(silence)}: proxies cut at about 60 s. Send comments."
        )


def _times_of(probe: Probe, offsets: list[int]) -> list[float]:
    """Return when the bytes at these offsets arrived."""
    ends = list(accumulate(len(read.data) for read in probe.reads))
    return [probe.reads[bisect_right(ends, offset)].at for offset in offsets]


def _head(plain: Probe, head: Probe) -> Iterator[Finding]:
    if head.status is None:
        text = "It hangs: the stream is run although no body may be sent."
        if head.error:
            text = f"No answer: {shown(head.error, 200)}"
        yield Finding("problem", "HEAD", text)
    elif head.status == 405:
        yield Finding("advice", "HEAD", "405: HEAD must be supported wherever GET is (RFC 9110, 9.1).")
    elif head.status != plain.status:
        yield Finding("advice", "HEAD", f"{head.status}, where GET is {plain.status}.")
    else:
        yield Finding("ok", "HEAD", f"Answered after {seconds(head.headers_at)}, as GET is.")


def _resumed(plain: Probe, resumed: Probe) -> Iterator[Finding]:
    about, sent = "reconnect", shown(resumed.sent.get("Last-Event-ID"))
    if resumed.status is None:
        text = f"No answer to Last-Event-ID: {sent}: {shown(resumed.error or 'silence', 200)}"
        yield Finding("problem", about, text)
    elif resumed.status == 204:
        yield Finding("ok", about, f"After id {sent} it answers 204, and the browser stops.")
    elif resumed.status != 200:
        yield Finding("problem", about, f"After id {sent} it answers {resumed.status}: the browser gives up.")
    elif not (again := resumed.events.ids):
        yield Finding("ok", about, f"After id {sent} it answers 200, and has sent no event with an id yet.")
    elif again[0] == plain.events.ids[0]:
        text = f"After id {sent} it begins again, with id {shown(again[0])}: Last-Event-ID is ignored."
        yield Finding("advice", about, text)
    else:
        yield Finding("ok", about, f"After id {sent} it goes on with id {shown(again[0])}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
