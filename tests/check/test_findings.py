"""From probes to findings: each problem is found, and named with what to do."""

from __future__ import annotations

import gzip
import zlib

import httpx2
import pytest

from stream_adapter._check.findings import findings_of, last_id
from stream_adapter._check.probe import Probe, Read

EVENTS = b"id: 1\ndata: a\n\n"
SSE = {"content-type": "text/event-stream", "cache-control": "no-store, no-transform"}


def probe(status: int | None = 200, headers: dict[str, str] | None = None, **given: object) -> Probe:
    probe = Probe("GET", {}, status, "HTTP/2", httpx2.Headers(SSE if headers is None else headers), 0.01)
    probe.reads = [Read(0.1 * number, EVENTS) for number in range(5)]
    for name, value in given.items():
        setattr(probe, name, value)
    return probe


def levels(*probes: Probe | None) -> dict[str, str]:
    plain, compressed, head, resumed = (*probes, None, None, None)[:4]
    assert plain is not None
    return {finding.about: finding.level for finding in findings_of(plain, compressed, head, resumed)}


def text_of(about: str, *probes: Probe | None) -> str:
    plain, compressed, head, resumed = (*probes, None, None, None)[:4]
    assert plain is not None
    return next(finding.text for finding in findings_of(plain, compressed, head, resumed) if finding.about == about)


def test_good_event_stream_has_no_problem() -> None:
    assert set(levels(probe(), None, probe(reads=[])).values()) == {"ok"}


@pytest.mark.parametrize(
    ("plain", "about", "level"),
    [
        (probe(None, error="ConnectError: refused"), "connection", "problem"),
        (probe(None, headers_at=None, reads=[]), "headers", "problem"),
        (probe(500), "status", "problem"),
        (probe(203), "status", "problem"),
        (probe(204, headers={}, reads=[], ended_at=0.1), "status", "ok"),
        (probe(error="RemoteProtocolError: cut"), "connection", "problem"),
        (probe(error="RemoteProtocolError: cut", reads=[Read(0.1, b":")]), "timing", "advice"),
        (probe(reads=[]), "timing", "problem"),
        (probe(headers={"content-type": "text/plain"}, reads=[]), "timing", "advice"),
        (probe(reads=[Read(2.0, EVENTS)], ended_at=2.0), "timing", "problem"),
        (probe(reads=[Read(0.1, EVENTS)], ended_at=0.1), "timing", "advice"),
        (probe(headers={}), "Content-Type", "problem"),
        (probe(headers={"content-type": "text/plain"}), "nosniff", "advice"),
        (probe(headers={**SSE, "content-length": "75"}), "Content-Length", "problem"),
        (probe(headers={"content-type": "text/event-stream"}), "Cache-Control", "advice"),
        (probe(version="HTTP/1.1"), "HTTP/1.1", "advice"),
        (probe(version="HTTP/1.0"), "HTTP/1.0", "advice"),
        (probe(reads=[Read(0, b"retry: soon\n\n"), Read(1, EVENTS)]), "event stream", "problem"),
        (probe(reads=[Read(0, EVENTS), Read(90, EVENTS)]), "keepalive", "problem"),
        (probe(reads=[Read(0, b":\n\n"), Read(90, b":\n\n")]), "keepalive", "advice"),
        (probe(reads=[Read(0, b":\n\n"), Read(15, b":\n\n")]), "keepalive", "ok"),
    ],
)
def test_probe_gives_the_finding_of_its_fault(plain: Probe, about: str, level: str) -> None:
    assert levels(plain)[about] == level


@pytest.mark.parametrize(
    ("headers", "advice"),
    [
        ({"server": "nginx/1.27"}, "proxy_buffering off"),
        ({"server": "nginx/1.27", "x-accel-buffering": "no"}, "Check proxies"),
        ({"content-length": "15"}, "It has a Content-Length"),
        ({"via": "1.1 varnish"}, "A proxy or CDN is involved"),
        ({}, "Check proxies"),
    ],
)
def test_timing_finding_names_the_buffer_that_the_headers_show(headers: dict[str, str], advice: str) -> None:
    assert advice in text_of("timing", probe(headers={**SSE, **headers}, reads=[Read(2.0, EVENTS)], ended_at=2.0))


GZIP = {**SSE, "content-encoding": "gzip", "vary": "Accept-Encoding"}


def flushed(slower: float = 1.0) -> list[Read]:
    """Compress events as a good compressor does: one stream, flushed after each."""
    compressor = zlib.compressobj(wbits=31)
    parts = [compressor.compress(EVENTS) + compressor.flush(zlib.Z_SYNC_FLUSH) for _ in range(5)]
    return [Read(0.1 + slower * 0.1 * number * (10 if slower > 1 else 1), part) for number, part in enumerate(parts)]


@pytest.mark.parametrize(
    ("compressed", "found"),
    [
        (probe(headers=GZIP, reads=flushed()), {"compression": "ok"}),
        (
            probe(headers={**SSE, "content-encoding": "gzip"}, reads=flushed()),
            {"compression": "ok", "Vary": "advice"},
        ),
        (probe(headers=GZIP, reads=flushed(6.0)), {"compression": "problem"}),  # the same, six times as slow
        (
            probe(headers=GZIP, reads=[Read(0.1 * n, gzip.compress(EVENTS)) for n in range(5)]),
            {"compression": "problem"},
        ),
        (probe(headers=GZIP, reads=[Read(0.1, gzip.compress(b"")[:10])]), {"compression": "problem"}),
        (probe(headers=GZIP, reads=[Read(0.1, EVENTS)]), {"compression": "problem"}),  # which is not gzip
        (probe(headers=GZIP, reads=flushed(), ended_at=0.5), {"compression": "ok", "truncated": "problem"}),
        (probe(headers={**GZIP, "content-encoding": "lzma"}), {"compression": "problem"}),
        (
            probe(headers=GZIP, reads=[Read(2.0, b"\x1f\x8b")], ended_at=2.0),
            {"compression": "problem", "truncated": "problem"},
        ),
        (probe(headers=GZIP, reads=[]), {"compression": "problem"}),
        (probe(), {}),
        (probe(None), {"compression": "problem"}),
    ],
)
def test_compressor_that_holds_events_is_a_problem(compressed: Probe, found: dict[str, str]) -> None:
    seen = levels(probe(), compressed)
    assert {about: seen[about] for about in ("compression", "Vary", "truncated") if about in seen} == found


def test_compressor_is_not_blamed_if_the_plain_body_is_held() -> None:
    held = probe(headers=GZIP, reads=[Read(2.0, b"\x1f\x8b")], ended_at=2.0)
    assert "compression" not in levels(probe(reads=[Read(2.0, EVENTS)], ended_at=2.0), held)


@pytest.mark.parametrize(
    ("head", "level", "text"),
    [
        (probe(200, reads=[]), "ok", "Answered"),
        (probe(404, reads=[]), "advice", "404: it should be that of GET, 200"),
        (probe(405, reads=[]), "advice", "RFC 9110"),
        (probe(None, headers_at=None, reads=[]), "problem", "It hangs"),
    ],
)
def test_finding_for_head_depends_on_its_status(head: Probe, level: str, text: str) -> None:
    assert levels(probe(), None, head)["HEAD"] == level
    assert text in text_of("HEAD", probe(), None, head)


@pytest.mark.parametrize(
    ("resumed", "level", "text"),
    [
        (probe(204, reads=[]), "ok", "204, and the browser stops"),
        (probe(reads=[Read(0, b"id: 2\ndata: b\n\n")]), "ok", "continues with id 2"),
        (probe(reads=[Read(0, EVENTS)]), "advice", "starts again, with id 1"),
        (probe(reads=[Read(0, b"retry: 1\n\n")]), "ok", "no event with an id has arrived yet"),
        (probe(503, reads=[]), "problem", "503: the browser gives up"),
        (probe(None, reads=[]), "problem", "No response"),
    ],
)
def test_finding_for_a_reconnect_depends_on_what_is_sent_again(resumed: Probe, level: str, text: str) -> None:
    assert levels(probe(), None, None, resumed)["reconnect"] == level
    assert text in text_of("reconnect", probe(), None, None, resumed)


def test_last_id_is_the_id_that_a_browser_sends() -> None:
    assert last_id(probe(reads=[Read(0, b"id: 1\ndata: a\n\nid: 2\ndata: b\n\ndata: c\n\n")])) == "2"
    assert last_id(probe(reads=[Read(0, b"id: 1\ndata: a\n\nid\ndata: b\n\n")])) is None
    assert last_id(probe(headers={"content-type": "text/plain"})) is None


def test_problems_beyond_the_fifth_are_counted() -> None:
    found = findings_of(probe(reads=[Read(0, b"x\n" * 20), Read(1, b"\n")]), None, None, None)
    assert [each.text for each in found if each.about == "event stream"][-1] == "And 15 more problems."
