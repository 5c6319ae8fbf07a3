"""`check` against a server that lies: each answer is a finding, nothing acts on the terminal, nothing is unbounded."""

from __future__ import annotations

import asyncio
import gzip
import io
import itertools
import json
import resource
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from stream_adapter._check import client as client_module
from stream_adapter._check.client import Client
from stream_adapter._check.command import check, run
from stream_adapter._check.decoding import decode
from stream_adapter._check.finding import printable, shown
from stream_adapter._check.probe import MOST_BYTES, Probe, Read, Recorder
from stream_adapter._check.report import as_json, as_text
from tests.check.liar import Answer, Liar, liar
from tests.support.gate import BOUND

SECONDS = 0.4  # for which an answer without an end is read


@pytest.fixture(scope="module")
def server() -> Iterator[Liar]:
    with liar() as server:
        yield server


def sse(body: bytes, *fields: bytes) -> bytes:
    """Return a complete event stream with a Content-Length."""
    return answer(b"text/event-stream", body, *fields)


def answer(media_type: bytes, body: bytes, *fields: bytes) -> bytes:
    head = [b"HTTP/1.1 200 OK", b"Content-Type: " + media_type, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join([*head, b"", body])


def endless(start: bytes, part: bytes) -> Answer:
    return lambda: itertools.chain([start], itertools.repeat(part))


def bomb() -> bytes:
    """Return 200 MiB of zeros, compressed: one block of 1 MiB, repeated, for each process makes it as it starts."""
    compressor = zlib.compressobj(9, wbits=31)
    start, block = (compressor.compress(b"\0" * (1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return start + 199 * block  # its end is not reached


BOMB = bomb()
OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\xe2\x80\xae\xe2\x81\xa6"
ENCODED = b"Content-Encoding: "


def redirect(location: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"


ANSWERS: dict[str, tuple[Answer, str, str, str]] = {
    "nothing": (b"", "connection", "problem", "No response"),
    "junk": (b"\x1b[2J nonsense\r\n\r\n", "connection", "problem", "No response"),
    "status-line-of-64-KiB": (b"HTTP/1.1 " + b"9" * 65536, "connection", "problem", "No response"),
    "status-99": (b"HTTP/1.1 99 Low\r\n\r\n", "connection", "problem", "No response"),
    "status-abc": (b"HTTP/1.1 abc Odd\r\n\r\n", "connection", "problem", "No response"),
    "status-999": (b"HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n", "status", "problem", "999 is not a success"),
    "header-without-colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "connection", "problem", "No response"),
    "header-with-nul": (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", "connection", "problem", "No response"),
    "header-not-ascii": (b"HTTP/1.1 200 OK\r\n\xff: b\r\n\r\n", "connection", "problem", "No response"),
    "endless-headers": (endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 500), "connection", "problem", "No response"),
    "endless-header": (endless(b"HTTP/1.1 200 OK\r\nA: ", b"a" * 8192), "connection", "problem", "No response"),
    "endless-1xx": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99), "headers", "problem", "No status line"),
    "two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "connection", "problem", ""),
    "length-of-letters": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "connection", "problem", "No response"),
    "chunk-of-letters": (OPEN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "connection", "problem", "It broke"),
    "chunk-beyond-all": (
        OPEN + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 99 + b"\r\n",
        *("connection", "problem", "It broke"),
    ),
    "endless-chunk-extension": (
        endless(OPEN + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 8192),
        *("connection", "problem", "It broke"),
    ),
    "cut-chunks": (
        OPEN + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n",
        *("connection", "problem", "It broke after 9 bytes"),
    ),
    "short-of-its-length": (
        OPEN + b"Content-Length: 99\r\n\r\ndata: a\n\n",
        "connection",
        "problem",
        "It broke after 9",
    ),
    "no-end-but-the-connections": (
        OPEN + b"\r\ndata: a\n\n",
        "framing",
        "advice",
        "a Content-Length or chunked encoding",
    ),
    "id-beyond-ascii": (sse("id: é\ndata: a\n\n".encode()), "reconnect", "advice", "starts again, with id é"),
    "id-of-escapes": (
        sse(b"id: " + ESCAPES + b"\ndata: a\n\n"),
        "reconnect",
        "advice",
        r"id \x1b]0;owned\x07\x1b[2J\x9b31m\u202e",
    ),
    "id-not-utf-8": (sse(b"id: \xff\ndata: a\n\n"), "event stream", "problem", "must be UTF-8"),
    "id-of-200-KB": (sse(b"id: " + b"i" * 200_000 + b"\ndata: a\n\n"), "reconnect", "problem", "has 200000 bytes"),
    "retry-of-5000-digits": (sse(b"retry: " + b"9" * 5000 + b"\n\n"), "event stream", "problem", "5000 digits"),
    "field-of-escapes": (sse(ESCAPES + b"\n\n"), "event stream", "problem", r"\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"),
    "line-of-3-MiB": (sse(b"x" * (3 << 20) + b"\n"), "event stream", "problem", "unknown field"),
    "two-million-lines": (sse(b"a\n" * (2 << 20)), "event stream", "advice", "more lines than this check reads"),
    "two-million-comments": (sse(b":\n" * (2 << 20)), "event stream", "advice", "more lines than this check reads"),
    "endless-stream": (endless(OPEN + b"\r\n", b"data: a\n\n" * 1000), "event stream", "advice", "more lines"),
    "one-byte-chunks": (
        endless(OPEN + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n:\r\n1\r\n\n\r\n" * 500),
        *("timing", "ok", "It streams"),
    ),
    "type-of-escapes": (answer(b"text/plain " + ESCAPES.replace(b"\x07", b""), b"a"), "nosniff", "advice", ""),
    "type-of-60-KB": (answer(b"x/" + b"y" * 60_000, b"a"), "timing", "advice", "too soon to decide"),
    "coding-of-escapes": (sse(b"a", ENCODED + b"\x1b[2J"), "compression", "problem", r"\x1b[2j"),
    "coding-of-60-KB": (sse(b"a", ENCODED + b"x" * 60_000), "compression", "problem", "60000 in all"),
    "codings-without-end": (sse(b"a", ENCODED + b"gzip," * 5000), "compression", "problem", "5000 codings"),
    "gzip-that-is-none": (sse(b"data: a\n\n", ENCODED + b"gzip"), "compression", "problem", "cannot be decoded"),
    "br-that-is-none": (sse(b"\xff" * 99, ENCODED + b"br"), "compression", "problem", "br cannot be decoded"),
    "zstd-that-is-none": (sse(b"\xff" * 99, ENCODED + b"zstd"), "compression", "problem", "zstd cannot be decoded"),
    "deflate-that-is-none": (sse(b"\xff" * 99, ENCODED + b"deflate"), "compression", "problem", "cannot be decoded"),
    "gzip-cut": (sse(gzip.compress(b"data: a\n\n")[:-9], ENCODED + b"gzip"), "truncated", "problem", "was truncated"),
    "gzip-in-members": (
        sse(gzip.compress(b"data: a\n\n") * 3, ENCODED + b"gzip"),
        *("compression", "problem", "which browsers ignore"),
    ),
    "gzip-bomb": (sse(BOMB, ENCODED + b"gzip"), "compression", "advice", "exceeds what this check reads"),
    "gzip-bomb-twice": (
        sse(gzip.compress(BOMB), ENCODED + b"gzip, gzip"),
        "compression",
        "advice",
        "exceeds what this check reads",
    ),
    "json-cut": (answer(b"application/json", b'[{"a":1},{"a"'), "truncated", "problem", "within a JSON value"),
    "json-lines-cut": (answer(b"application/x-ndjson", b'{"a":1}\n{"a'), "truncated", "problem", "within a line"),
    "json-of-depth": (answer(b"application/json", b"[" * 500_000), "timing", "advice", "too soon"),
    "to-javascript": (redirect(b"javascript:alert(1)"), "redirect", "problem", "expected http://"),
    "to-no-host": (redirect(b"http://xn--/"), "redirect", "problem", "cannot be followed"),
    "to-half-an-address": (redirect(b"http://[::1"), "redirect", "problem", "cannot be followed"),
    "to-a-port-beyond": (redirect(b"http://127.0.0.1:99999/"), "redirect", "problem", "port"),
    "to-a-file": (redirect(b"file:///etc/passwd"), "redirect", "problem", "expected http://"),
    "to-itself": (redirect(b"/to-itself"), "redirect", "problem", "more than 10 redirects"),
    "to-60-KB": (redirect(b"/" + b"a" * 60_000), "redirect", "problem", "60001 characters"),
    "to-escapes": (redirect(b"http://a\x1b2J/"), "redirect", "problem", r"\x1b"),
    "to-an-endless-label": (redirect(b"http://" + b"a" * 300 + b"/"), "redirect", "advice", "Redirected to"),
    "redirect-without-end": (
        endless(b"HTTP/1.1 302 Found\r\nLocation: /to-a-file\r\nContent-Length: 9999999999\r\n\r\n", b"x" * 65536),
        *("redirect", "problem", "expected http://"),
    ),
}


def findings_of(url: str, seconds: float = SECONDS) -> list[dict[str, Any]]:
    """Check the URL; return the findings. The printed report must be safe for a terminal."""
    probe, findings = asyncio.run(check(url, {}, seconds=seconds, verify=True))
    lines = as_text(url, probe, findings).split("\n")
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 1000
    found: list[dict[str, Any]] = json.loads(as_json(url, probe, findings))["findings"]
    return found


@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_response_is_a_finding(server: Liar, name: str) -> None:
    server.answers = {path: row[0] for path, row in ANSWERS.items()}
    sent, about, level, text = ANSWERS[name]
    findings = findings_of(server.url(name), SECONDS if callable(sent) else BOUND)
    assert [each for each in findings if (each["about"], each["level"]) == (about, level) and text in each["text"]], (
        findings
    )


def test_memory_stays_bounded_for_each_hostile_response() -> None:
    """After all of the above, in this process."""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1 << 20  # KiB: a bomb is 200 MiB, and there are several


def test_terminal_without_unicode_gets_escapes(server: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = {"id": sse("id: é\ndata: a\n\n".encode())}
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", terminal)
    run(server.url("id"), {}, seconds=SECONDS, verify=True, json=False)
    terminal.seek(0)
    assert r"starts again, with id \xe9" in terminal.read()


def test_redirect_to_another_origin_gets_no_header_of_the_user(
    server: Liar, capsys: pytest.CaptureFixture[str]
) -> None:
    with liar() as other:
        other.answers = {"there": sse(b"data: a\n\n")}
        server.answers = {"away": redirect(other.url("there").encode()), "here": redirect(b"/there")}
        server.answers["there"] = sse(b"data: a\n\n")
        for path in ("away", "here"):
            run(server.url(path), {"Cookie": "secret=1"}, seconds=SECONDS, verify=True, json=False)
        assert "Redirected to http://127.0.0.1:" in capsys.readouterr().out
    assert other.requests
    assert not [request for request in other.requests if b"secret" in request]
    assert all(b"secret=1" in request for request in server.requests if b"/there" in request)


def test_unexpected_error_of_the_library_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(*_: object) -> None:
        raise KeyError("\x1b[2J")

    monkeypatch.setattr(client_module.Client, "_follow", fail)
    assert run("http://127.0.0.1/", {}, seconds=SECONDS, verify=True, json=False) == 2
    assert r"the response cannot be read (KeyError: '\x1b[2J')" in capsys.readouterr().out
    assert Client is client_module.Client


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain é 字 🎉", "plain é 字 🎉"),
        ("\x1b[2J\x07\x9b\x00\x7f", r"\x1b[2J\x07\x9b\x00\x7f"),
        ("\u202e\u2066\u200b\ufeff\u2028", r"\u202e\u2066\u200b\ufeff\u2028"),
        ("\ud800\U000e0001\ue000", r"\ud800\U000e0001\ue000"),
        (b"\xff\xc2\x9b", "\ufffd\\x9b"),
        ("a" * 100, "a" * 80 + "… (100 in all)"),
        (None, "None"),
    ],
)
def test_shown_text_is_printable_and_short(value: object, text: str) -> None:
    assert shown(value) == text
    assert printable(text) == text


def test_a_million_reads_are_collected_in_bounded_memory() -> None:
    recorder = Recorder()
    for number in range(1_000_000):
        recorder.add(number / 100, b"x")
    reads = recorder.reads()
    assert len(reads) <= 20_000
    assert sum(len(read.data) for read in reads) == 1_000_000
    while recorder.add(0.0, b"x" * 65536):
        pass
    assert recorder.size == MOST_BYTES


def test_parsing_of_an_event_stream_takes_linear_time() -> None:
    def cost(lines: int) -> float:
        probe = Probe("GET", {}, 200, headers={"content-type": "text/event-stream"})
        probe.reads = [Read(0.0001 * number, b"a\n") for number in range(lines)]
        begun = time.process_time()
        assert probe.events.problem_count == lines
        return time.process_time() - begun

    cost(1000)
    assert cost(80_000) < 100 * cost(4000) + 1  # a square would be 400


def test_each_coding_is_decoded_read_by_read() -> None:
    text = b"data: a\n\n" * 100
    compressor = zlib.compressobj(wbits=-15)
    codings = {
        "gzip": gzip.compress(text),
        "deflate": zlib.compress(text),
        "deflate ": compressor.compress(text) + compressor.flush(),
        "gzip, x-gzip": gzip.compress(gzip.compress(text)),
        "identity": text,
        "identity, gzip": gzip.compress(text),
    }
    for coding, body in codings.items():
        probe = Probe("GET", {}, 200, headers={"content-encoding": coding})
        probe.reads = [Read(0.1 * at, body[at : at + 1]) for at in range(len(body))]
        decoded = decode(probe)
        assert b"".join(read.data for read in decoded.reads) == text
        assert (decoded.error, decoded.is_complete, decoded.ignored, decoded.is_cut) == (None, True, 0, False)
