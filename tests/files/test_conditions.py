"""Conditional requests in the order of RFC 9110. Rows named after Werkzeug and Starlette come from their tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from werkzeug.http import http_date

import stream_adapter as sa
from stream_adapter.files._conditions import Validators, evaluate, make_last_modified
from tests.support.interfaces import Call, either_interface

MODIFIED = 1_700_000_000
BEFORE, AT, AFTER = (http_date(MODIFIED + shift) for shift in (-1, 0, 1))
STRONG, WEAK = '"v1"', 'W/"v1"'

EVALUATED: list[tuple[dict[str, str], str | None, int | None]] = [
    ({}, STRONG, None),
    # If-Match: strongly
    ({"if-match": '"v1"'}, STRONG, None),
    ({"if-match": '"v0", "v1"'}, STRONG, None),
    ({"if-match": "*"}, STRONG, None),
    ({"if-match": "*"}, None, None),
    ({"if-match": '"v2"'}, STRONG, 412),
    ({"if-match": 'W/"v1"'}, STRONG, 412),
    ({"if-match": '"v1"'}, WEAK, 412),
    ({"if-match": 'W/"v1"'}, WEAK, 412),
    ({"if-match": '"v1"'}, None, 412),
    # If-Unmodified-Since: only without If-Match
    ({"if-unmodified-since": AT}, STRONG, None),
    ({"if-unmodified-since": AFTER}, STRONG, None),
    ({"if-unmodified-since": BEFORE}, STRONG, 412),
    ({"if-unmodified-since": "yesterday"}, STRONG, None),
    ({"if-match": '"v1"', "if-unmodified-since": BEFORE}, STRONG, None),
    ({"if-match": '"v2"', "if-unmodified-since": AFTER}, STRONG, 412),
    # If-None-Match: weakly
    ({"if-none-match": '"v1"'}, STRONG, 304),
    ({"if-none-match": '"v0","v1"'}, STRONG, 304),
    ({"if-none-match": 'W/"v1"'}, STRONG, 304),
    ({"if-none-match": '"v1"'}, WEAK, 304),
    ({"if-none-match": "*"}, STRONG, 304),
    ({"if-none-match": "*"}, None, 304),
    ({"if-none-match": '"v2"'}, STRONG, None),
    ({"if-none-match": '"v1"'}, None, None),
    # If-Modified-Since: only without If-None-Match
    ({"if-modified-since": AT}, STRONG, 304),
    ({"if-modified-since": AFTER}, STRONG, 304),
    ({"if-modified-since": BEFORE}, STRONG, None),
    ({"if-modified-since": "0"}, STRONG, None),
    ({"if-none-match": '"v2"', "if-modified-since": AT}, STRONG, None),
    ({"if-none-match": '"v1"', "if-modified-since": BEFORE}, STRONG, 304),
    # the order: what would be a 412 is not made a 304
    ({"if-match": '"v2"', "if-none-match": '"v1"'}, STRONG, 412),
    ({"if-match": '"v1"', "if-none-match": '"v1"'}, STRONG, 304),
    ({"if-unmodified-since": BEFORE, "if-none-match": '"v1"'}, STRONG, 412),
    ({"if-unmodified-since": AT, "if-modified-since": AT}, STRONG, 304),
    # all three forms of a date (5.6.7)
    ({"if-modified-since": "Tue, 14 Nov 2023 22:13:20 GMT"}, None, 304),
    ({"if-modified-since": "Tuesday, 14-Nov-23 22:13:20 GMT"}, None, 304),
    ({"if-modified-since": "Tue Nov 14 22:13:20 2023"}, None, 304),
    ({"if-match": "v1"}, STRONG, None),  # a tag without quotes is read, as Werkzeug reads it
]


@pytest.mark.parametrize(("asked", "etag", "expected"), EVALUATED, ids=str)
def test_preconditions_are_evaluated_in_the_order_of_the_rfc(
    asked: Mapping[str, str], etag: str | None, expected: int | None
) -> None:
    assert evaluate(asked, Validators(etag, AT)) == expected


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
def test_a_date_says_nothing_of_a_file_that_has_none(name: str) -> None:
    assert evaluate({name: AT}, Validators(STRONG, None)) is None


def test_last_modified_is_never_in_the_future() -> None:
    assert make_last_modified((MODIFIED + 1000) * 10**9, now=MODIFIED) == AT
    assert make_last_modified(MODIFIED * 10**9 + 999_999_999, now=MODIFIED + 5) == AT


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_bytes(b"<p>0123456789")
    os.utime(path, (MODIFIED, MODIFIED))
    return path


@either_interface
def test_304_has_validators_and_caching_fields_without_content_fields(call: Call, page: Path) -> None:
    etag = call(sa.file(page), method="HEAD").header("ETag")[0]
    own = {"Cache-Control": "max-age=60", "Vary": "Cookie"}
    answer = call(sa.file(page, filename="x", headers=own), headers=[("If-None-Match", etag)])
    assert (answer.status, answer.body) == (304, b"")
    assert answer.header("ETag") == [etag]
    assert answer.header("Cache-Control") == ["max-age=60"]
    assert answer.header("Vary") == ["Cookie"]
    assert [name for name, _ in answer.headers if name.lower().startswith("content-")] == []


@either_interface
def test_failed_if_match_is_answered_412_without_a_body(call: Call, page: Path) -> None:
    answer = call(sa.file(page), headers=[("If-Match", '"another"')])
    assert (answer.status, answer.body) == (412, b"")
    assert answer.header("Content-Length") == ["0"]
    assert answer.header("ETag") == []


@either_interface
@pytest.mark.parametrize("asked", [{}, {"If-None-Match": "*"}, {"If-Match": '"x"'}, {"Accept-Encoding": "gzip"}])
def test_head_is_get_without_the_body(call: Call, page: Path, asked: dict[str, str]) -> None:
    get, head = (call(sa.file(page), method=method, headers=[*asked.items()]) for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


@either_interface
def test_conditions_are_of_get_and_head_alone(call: Call, page: Path) -> None:
    assert call(sa.file(page), method="POST", headers=[("If-None-Match", "*")]).status == 200


@either_interface
def test_the_tag_is_strong_and_changes_with_the_file(call: Call, page: Path) -> None:
    tags = [call(sa.file(page)).header("ETag")[0]]
    page.write_bytes(b"<p>another size")
    os.utime(page, (MODIFIED, MODIFIED))
    tags.append(call(sa.file(page)).header("ETag")[0])
    os.utime(page, ns=(0, MODIFIED * 10**9 + 1))
    tags.append(call(sa.file(page)).header("ETag")[0])
    assert len({*tags}) == 3
    assert all(tag[0] == tag[-1] == '"' for tag in tags)


@either_interface
def test_validators_of_the_users_own_are_what_conditions_are_held_against(call: Call, page: Path) -> None:
    response = sa.file(page, headers={"ETag": WEAK, "Last-Modified": AFTER})
    assert call(response, headers=[("If-None-Match", '"v1"')]).status == 304
    assert call(response, headers=[("If-Modified-Since", AT)]).status == 200
    assert call(response).header("ETag") == [WEAK]


IF_RANGE: list[tuple[str, str, bool]] = [
    ("the tag", '"v1"', True),
    ("another tag", '"v2"', False),
    ("the tag, weakly", 'W/"v1"', False),
    ("the date", AT, True),
    ("an older date", BEFORE, False),
    ("a newer date", AFTER, False),  # Werkzeug takes it; the RFC has an exact match
    ("nonsense", "a while ago", False),
    ("nothing", "", False),
]


@either_interface
@pytest.mark.parametrize(("field", "applies"), [row[1:] for row in IF_RANGE], ids=[row[0] for row in IF_RANGE])
def test_a_range_is_sent_only_of_the_version_that_the_client_has(
    call: Call, page: Path, field: str, applies: bool
) -> None:
    response = sa.file(page, headers={"ETag": STRONG})
    answer = call(response, headers=[("Range", "bytes=3-4"), ("If-Range", field)])
    assert (answer.status, answer.body) == ((206, b"01") if applies else (200, b"<p>0123456789"))


@either_interface
def test_a_weak_tag_never_allows_a_range(call: Call, page: Path) -> None:
    response = sa.file(page, headers={"ETag": WEAK})
    assert call(response, headers=[("Range", "bytes=3-4"), ("If-Range", WEAK)]).status == 200
    assert call(response, headers=[("Range", "bytes=3-4"), ("If-Range", '"v1"')]).status == 200


@either_interface
def test_a_condition_comes_before_a_range(call: Call, page: Path) -> None:
    asked = [("Range", "bytes=99-"), ("If-None-Match", "*")]
    assert call(sa.file(page), headers=asked).status == 304
