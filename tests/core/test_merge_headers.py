"""Headers of a stream and of a framework's own response become one head, and neither is changed."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from stream_adapter.errors import CapacityError, NotFoundError, RefusalError
from stream_adapter.integration import merge_headers, refusal_head

Pairs = list[tuple[str, str]]

MERGES: dict[str, tuple[Pairs, Pairs, Pairs]] = {
    "fields of one side": ([("A", "1")], [("B", "2")], [("B", "2"), ("A", "1")]),
    "a single-valued field": (
        [("Cache-Control", "no-store")],
        [("cache-control", "private")],
        [("cache-control", "private")],
    ),
    "a repeated field of the framework": ([("X", "1")], [("x", "2"), ("X", "3")], [("x", "2"), ("X", "3")]),
    "a repeated field of the stream": ([("X", "1"), ("X", "2")], [], [("X", "1"), ("X", "2")]),
    "different cookies": (
        [("Set-Cookie", "a=1")],
        [("Set-Cookie", "b=2"), ("set-cookie", "c=3")],
        [("Set-Cookie", "b=2"), ("set-cookie", "c=3"), ("Set-Cookie", "a=1")],
    ),
    "the same cookie": (
        [("Set-Cookie", "a=1; Path=/")],
        [("Set-Cookie", "a=2; path=/; Secure")],
        [("Set-Cookie", "a=2; path=/; Secure")],
    ),
    "cookies of two paths": (
        [("Set-Cookie", "a=1; Path=/x")],
        [("Set-Cookie", "a=2; Path=/")],
        [("Set-Cookie", "a=2; Path=/"), ("Set-Cookie", "a=1; Path=/x")],
    ),
    "a cookie of a domain with a leading dot": (
        [("Set-Cookie", "a=1; Domain=.Example.com")],
        [("Set-Cookie", "a=2; Domain=example.com")],
        [("Set-Cookie", "a=2; Domain=example.com")],
    ),
    "cookies that differ by case": (
        [("Set-Cookie", "A=1")],
        [("Set-Cookie", "a=1")],
        [("Set-Cookie", "a=1"), ("Set-Cookie", "A=1")],
    ),
    "Vary of both": ([("Vary", "Accept")], [("vary", "Cookie"), ("X", "1")], [("X", "1"), ("Vary", "Cookie, Accept")]),
    "Vary of both with one name": ([("Vary", "accept, Origin")], [("Vary", "Accept")], [("Vary", "Accept, Origin")]),
    "Vary on everything": ([("Vary", "*")], [("Vary", "Cookie")], [("Vary", "*")]),
    "Link of both": ([("Link", "<a>"), ("Link", "<b>")], [("link", "<b>")], [("link", "<b>"), ("Link", "<a>")]),
    "hop-by-hop fields of both": (
        [("Trailer", "X"), ("Connection", "close"), ("TE", "trailers")],
        [("Proxy-Connection", "close"), ("keep-alive", "5"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c")],
        [],
    ),
}


@pytest.mark.parametrize(("stream", "framework", "merged"), MERGES.values(), ids=MERGES)
def test_merged_headers_are_those_of_both_sides(stream: Pairs, framework: Pairs, merged: Pairs) -> None:
    before = list(stream), list(framework)
    assert merge_headers(stream, framework) == merged
    assert (stream, framework) == before


def test_merging_takes_any_pairs_and_shares_none() -> None:
    framework = Headers({"X": "1"})
    merged = merge_headers((pair for pair in [("Y", "2")]), framework)
    merged.append(("Z", "3"))
    assert list(framework) == [("X", "1")]


def test_copied_field_that_the_framework_removed_stays_removed() -> None:
    stream = [("X", "1"), ("Set-Cookie", "a=1"), ("Content-Type", "text/csv"), ("Vary", "Accept")]
    merged = merge_headers(stream, [("Y", "2")], copied={"x", "Set-Cookie", "vary"})
    assert merged == [("Y", "2"), ("Content-Type", "text/csv"), ("Vary", "Accept")]


@pytest.mark.parametrize(
    "pair", [("X-A", "a\0b"), ("X-A", "a\x1b"), ("X-A: b\r\nSet-Cookie", "sid"), ("X-A", "a\r\nb")]
)
@pytest.mark.parametrize("side", [0, 1])
def test_merge_refuses_control_characters_from_either_side(pair: tuple[str, str], side: int) -> None:
    with pytest.raises(ValueError, match="headers: ") as caught:
        merge_headers(*([[pair], []] if side == 0 else [[], [pair]]))
    assert "sid" not in str(caught.value).partition("Set-Cookie")[2]


class TooManyRequestsError(RefusalError):
    status_code = 429
    headers = {"Retry-After": "7", "Connection": "close"}  # noqa: RUF012  # as a user would write it


def test_refusal_is_answered_by_its_own_status_and_headers() -> None:
    assert refusal_head(TooManyRequestsError("wait")) == (429, [("Retry-After", "7")])
    assert refusal_head(CapacityError("full")) == (503, [("Retry-After", "1")])
    assert refusal_head(NotFoundError("gone")) == (404, [])


def test_refusal_without_a_status_is_an_internal_error() -> None:
    assert refusal_head(RefusalError("no")) == (500, [])


@pytest.mark.parametrize(("status", "kind"), [(100, ValueError), (600, ValueError), ("429", TypeError)])
def test_refusal_with_a_status_that_cannot_be_sent_is_an_error(status: object, kind: type[Exception]) -> None:
    error = TooManyRequestsError("wait")
    vars(error)["status_code"] = status
    with pytest.raises(kind, match="status_code: expected 200 to 599"):
        refusal_head(error)
