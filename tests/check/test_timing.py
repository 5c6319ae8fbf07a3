"""From times and bytes to a verdict: no clock, no network."""

from __future__ import annotations

import httpx2
import pytest

from stream_adapter._check.probe import Probe, Read
from stream_adapter._check.timing import Verdict, timing_of

LINE = b'{"row":1,"text":"%s"}\n' % (b"x" * 78)  # 100 bytes


def probe(
    *reads: tuple[float, bytes], ended_at: float | None = None, headers_at: float | None = 0.01, coding: str = ""
) -> Probe:
    headers = httpx2.Headers({"content-encoding": coding} if coding else {})
    return Probe("GET", {}, 200, "HTTP/1.1", headers, headers_at, [Read(*read) for read in reads], ended_at)


def torn(count: int, size: int) -> list[tuple[float, bytes]]:
    """Blocks of `size` bytes, cut where a buffer was full, and a rest."""
    whole = LINE * (count * size // len(LINE) + 5)
    cuts = [(0.2 * number, whole[number * size : (number + 1) * size]) for number in range(count)]
    return [*cuts, (0.2 * count, whole[count * size : count * size + 200])]


CASES: dict[str, tuple[Probe, Verdict]] = {
    "lines as they are made": (probe(*[(0.1 * n, LINE) for n in range(10)], ended_at=1.0), "streams"),
    "lines so fast that no pause parts them": (
        probe(*[(0.005 * n, LINE) for n in range(100)], ended_at=0.5),
        "streams",
    ),
    "two large chunks and a small one": (
        probe((0, b"x" * 9000), (1, b"x" * 9000), (2, b"x"), ended_at=2.0),
        "streams",  # large, but of no lines: a download
    ),
    "blocks of 4 KiB": (probe(*torn(5, 4096), ended_at=1.1), "blocks"),
    "blocks of 4 KiB, two of them in one read": (
        probe(*torn(2, 4096)[:2], *[(1 + at, data) for at, data in torn(3, 8192)], ended_at=3.0),
        "blocks",
    ),
    "blocks of 3.4 KiB, as chunks without their framing are": (probe(*torn(5, 3413), ended_at=1.1), "blocks"),
    "two blocks do not suffice": (probe(*torn(1, 4096), ended_at=0.3), "streams"),
    "compressed blocks have no lines to count": (probe(*torn(5, 4096), ended_at=1.1, coding="gzip"), "streams"),
    "all of it, late": (probe((2.0, LINE * 20), ended_at=2.0), "at the end"),
    "all of it, late, in two reads": (probe((2.0, LINE * 20), (2.01, LINE), ended_at=2.02), "at the end"),
    "all of it, soon": (probe((0.02, LINE * 20), ended_at=0.02), "too short"),
    "an empty body": (probe(ended_at=0.02), "too short"),
    "something, and then silence": (probe((0.02, b"retry: 2000\n\n")), "begun"),
    "headers, and then silence": (probe(), "headers only"),
    "silence": (probe(headers_at=None), "nothing"),
    "reads without bytes do not count": (probe((0.1, b""), (0.2, b"")), "headers only"),
}


@pytest.mark.parametrize(("seen", "verdict"), CASES.values(), ids=CASES)
def test_times_of_reads_give_the_verdict(seen: Probe, verdict: Verdict) -> None:
    assert timing_of(seen).verdict == verdict


@pytest.mark.parametrize(("size", "buffer"), [(3413, 4096), (4096, 4096), (8000, 8192), (16384, 16384), (65536, 65536)])
def test_blocks_show_the_size_of_the_buffer(size: int, buffer: int) -> None:
    timing = timing_of(probe(*torn(5, size), ended_at=1.1))
    assert (timing.block, timing.buffer, timing.torn) == (size, buffer, True)


def test_blocks_of_whole_lines_are_not_torn() -> None:
    timing = timing_of(probe(*[(0.2 * n, LINE * 40) for n in range(5)], ended_at=1.0))
    assert (timing.verdict, timing.torn) == ("blocks", False)


def test_timing_begins_with_the_first_byte_of_the_body() -> None:
    timing = timing_of(probe((0.5, b"a"), (0.75, b"b"), (1.5, b"c"), ended_at=2.0))
    assert (timing.first_byte, timing.span, timing.reads) == (0.5, 1.0, 3)
    assert (timing.gap_median, timing.gap_most) == (0.5, 0.75)
