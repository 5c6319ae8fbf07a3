"""Range requests: RFC 9110's own examples, then Werkzeug's and Starlette's cases. Where we differ, the row says why."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.files._ranges import MAX_RANGES, parse_ranges
from tests.support.interfaces import Answer, Call, either_interface

DIGITS = b"0123456789"

PARSED: list[tuple[str, int, list[range] | None]] = [
    # RFC 9110, 14.1.2
    ("bytes=0-499", 10000, [range(500)]),
    ("bytes=500-999", 10000, [range(500, 1000)]),
    ("bytes=-500", 10000, [range(9500, 10000)]),
    ("bytes=9500-", 10000, [range(9500, 10000)]),
    ("bytes=0-0,-1", 10000, [range(1), range(9999, 10000)]),
    ("bytes= 0-999, 4500-5499, -1000", 10000, [range(1000), range(4500, 5500), range(9000, 10000)]),
    ("bytes=500-600,601-999", 10000, [range(500, 1000)]),
    ("bytes=500-700,601-999", 10000, [range(500, 1000)]),
    # what reaches past the end is cut, what begins there cannot be satisfied, and is left out where others can
    ("bytes=5-99", 10, [range(5, 10)]),
    ("bytes=0-18446744073709551615", 10, [range(10)]),
    ("bytes=-99", 10, [range(10)]),
    ("bytes=10-", 10, []),
    ("bytes=10-10,99-", 10, []),
    ("bytes=10-,2-3", 10, [range(2, 4)]),
    ("bytes=-0", 10, []),
    ("bytes=-0,-1", 10, [range(9, 10)]),
    # the order asked for is kept; those that overlap or touch are one, where the first of them stood
    ("bytes=8-,0-1", 10, [range(8, 10), range(2)]),
    ("bytes=8-,0-1,6-7", 10, [range(6, 10), range(2)]),
    ("bytes=0-9,2-3", 10, [range(10)]),
    ("bytes=4-5,0-1,2-3", 10, [range(6)]),
    # lists may have empty elements, units any case (5.6.1.2, 14.1)
    ("BYTES=1-2", 10, [range(1, 3)]),
    ("bytes=,1-2 ,\t, 5-6,", 10, [range(1, 3), range(5, 7)]),
    # malformed, or of another unit: ignored (14.2)
    ("", 10, None),
    ("bytes", 10, None),
    ("bytes=", 10, None),
    ("bytes=,", 10, None),
    ("bytes=-", 10, None),
    ("bytes=a-b", 10, None),
    ("bytes=3-2", 10, None),
    ("bytes=0-1,3-2", 10, None),
    ("bytes=1", 10, None),
    ("bytes=1-2-3", 10, None),
    ("bytes=--1", 10, None),
    ("bytes=+1-2", 10, None),
    ("bytes=1_0-", 100, None),
    ("bytes=1 - 2", 10, None),
    ("bytes=\u0661-", 10, None),  # a digit of another script
    ("bytes=0-" + "9" * 5000, 10, None),  # more digits than Python turns into a number
    ("lines=0-1", 10, None),
    ("0-1", 10, None),
    # an empty file has no range that could be sent, and some clients ask for one always
    ("bytes=0-", 0, None),
    ("bytes=-1", 0, None),
    # Werkzeug's test_range_parsing
    ("bytes=52", 1000, None),
    ("bytes=52-", 1000, [range(52, 1000)]),
    ("bytes=52-99", 1000, [range(52, 100)]),
    ("bytes=52-99,-1000", 2000, [range(52, 100), range(1000, 2000)]),
    ("bytes = 1 - 100", 1000, None),  # Werkzeug reads it; the RFC has no blanks inside a range
    ("AWesomes=0-999", 1000, None),  # Werkzeug reads any unit
    ("bytes=-", 1000, None),
    ("bytes=bar", 1000, None),
    ("bytes=-bar", 1000, None),
    # Starlette's test_file_response_range_*; it answers 400 where we ignore, as the RFC says
    ("bytes=0-4,8-9", 10, [range(5), range(8, 10)]),
    ("bytes=0-1,1-3,2-5", 10, [range(6)]),
    ("bytes=100-50", 200, None),
    ("bytes=abc-def", 10, None),
    ("bytes: 0-1000", 10, None),
    ("items=0-100", 200, None),
]


@pytest.mark.parametrize(("field", "size", "expected"), PARSED)
def test_a_range_field_is_read_as_the_rfc_says(field: str, size: int, expected: list[range] | None) -> None:
    assert parse_ranges(field, size) == expected


@pytest.mark.parametrize(
    ("count", "sent"), [(MAX_RANGES, True), (MAX_RANGES + 1, False), (5000, False)], ids=["16", "17", "5000"]
)
def test_more_than_sixteen_ranges_are_the_whole_file(count: int, sent: bool) -> None:
    field = "bytes=" + ",".join(f"{3 * index}-{3 * index}" for index in range(count))
    assert (parse_ranges(field, 3 * count) is not None) is sent


def test_any_number_of_ranges_that_overlap_are_one() -> None:
    assert parse_ranges("bytes=" + ",".join(f"{index}-" for index in range(1000)), 1000) == [range(1000)]


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    path = tmp_path / "digits.txt"
    path.write_bytes(DIGITS)
    return path


@either_interface
def test_one_range_is_a_206_with_its_content_range(call: Call, digits: Path) -> None:
    answer = call(sa.file(digits), headers=[("Range", "bytes=2-4")])
    assert (answer.status, answer.body, answer.complete) == (206, b"234", True)
    assert answer.header("Content-Range") == ["bytes 2-4/10"]
    assert answer.header("Content-Length") == ["3"]
    assert answer.header("Content-Type") == ["text/plain; charset=utf-8"]


def parts_of(answer: Answer) -> list[tuple[str, str, Any]]:
    """Take a multipart body apart with the standard library's parser."""
    head = f"Content-Type: {answer.header('Content-Type')[0]}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/byteranges"
    assert not message.defects
    return [
        (part["Content-Type"].replace('"', ""), part["Content-Range"], part.get_payload(decode=True))
        for part in message.iter_parts()
    ]


@either_interface
def test_several_ranges_are_a_multipart_body_of_the_announced_length(call: Call, digits: Path) -> None:
    answer = call(sa.file(digits), headers=[("Range", "bytes=8-,0-1,4-4")])
    assert answer.status == 206
    assert answer.header("Content-Length") == [str(len(answer.body))]
    assert answer.header("Content-Range") == []
    assert parts_of(answer) == [
        ("text/plain; charset=utf-8", "bytes 8-9/10", b"89"),
        ("text/plain; charset=utf-8", "bytes 0-1/10", b"01"),
        ("text/plain; charset=utf-8", "bytes 4-4/10", b"4"),
    ]


@either_interface
def test_ranges_of_a_large_file_are_read_from_where_they_are(call: Call, tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192  # 2 MiB
    path = tmp_path / "large"
    path.write_bytes(content)
    answer = call(sa.file(path), headers=[("Range", "bytes=1000000-,5-900004,950000-950003")])
    assert answer.header("Content-Length") == [str(len(answer.body))]
    assert [body for _, _, body in parts_of(answer)] == [
        content[1000000:],
        content[5:900005],
        content[950000:950004],
    ]


@either_interface
@pytest.mark.parametrize("field", ["bytes=10-", "bytes=99-100,50-", "bytes=-0"])
def test_a_range_that_cannot_be_satisfied_is_a_416_that_tells_the_size(call: Call, digits: Path, field: str) -> None:
    response = sa.file(digits, filename="x", headers={"Cache-Control": "max-age=60", "X-Own": "kept"})
    answer = call(response, headers=[("Range", field)])
    assert (answer.status, answer.body) == (416, b"")
    assert answer.header("Content-Range") == ["bytes */10"]
    assert answer.header("Content-Length") == ["0"]
    assert answer.header("X-Own") == ["kept"]
    for name in ("ETag", "Last-Modified", "Cache-Control", "Content-Disposition"):
        assert answer.header(name) == [], "what is said of the file is not said of a refusal"


@either_interface
@pytest.mark.parametrize(("method", "status_code"), [("HEAD", 200), ("POST", 200), ("GET", 404)])
def test_a_range_is_ignored_where_no_range_is_defined(call: Call, digits: Path, method: str, status_code: int) -> None:
    # Starlette answers a HEAD with the 206 of the GET; RFC 9110, 14.2 has it ignored
    answer = call(sa.file(digits, status_code=status_code), method=method, headers=[("Range", "bytes=0-1")])
    assert answer.status == status_code
    assert answer.header("Content-Length") == ["10"]
    assert answer.body == (b"" if method == "HEAD" else DIGITS)


@either_interface
def test_a_status_of_its_own_is_sent_whatever_is_asked(call: Call, digits: Path) -> None:
    asked = [("If-None-Match", "*"), ("Range", "bytes=0-1")]
    answer = call(sa.file(digits, status_code=404), headers=asked)
    assert (answer.status, answer.body) == (404, DIGITS)
