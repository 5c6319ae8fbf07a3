"""The WSGI interface (PEP 3333). Every WSGI call of these tests goes through `wsgiref.validate`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

import stream_adapter as sa
from stream_adapter.integration import status_line
from tests.support.interfaces import SOURCES, Watcher, call_wsgi

RESPONSES: list[sa.Response] = [
    sa.Response(b"whole"),
    sa.Response(None),
    sa.Response([]),
    sa.Response(["a", 1, b"c"]),
    sa.Response([{"a": 1}]),
    sa.Response([b"a"], status_code=404, headers={"Set-Cookie": ["a=1", "b=2"], "Connection": "close"}),
    sa.Response([b"a"], status_code=204),
    sa.Response([b"a"], status_code=304),
    sa.Response([b"a", b"b"], flush="bulk"),
    sa.Response([b"a", b"b"], flush="item"),
    sa.text(["a"]),
    sa.html(["a"]),
    sa.ndjson([1, None]),
    sa.sse(["a"]),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("response", RESPONSES)
def test_every_response_is_valid_wsgi(response: sa.Response, method: str) -> None:
    answer = call_wsgi(response, method=method)
    assert answer.error is None
    assert answer.complete
    assert answer.status == response.status_code


@pytest.mark.parametrize("response", RESPONSES)
def test_two_nested_validators_accept_each_response(response: sa.Response) -> None:
    assert call_wsgi(validator(validator(response.wsgi))).complete


def test_the_first_item_is_pulled_inside_the_call_and_before_the_status_line() -> None:
    order: list[str] = []

    def items() -> Iterator[bytes]:
        order.append("item")
        yield b"a"
        order.append("next item")

    class Order(Watcher):
        def on_start(self) -> None:
            order.append("status line")

    call_wsgi(sa.Response(items()), watcher=Order())
    assert order == ["item", "status line", "next item"]


def test_wsgi_sends_each_chunk_before_the_sync_source_is_asked_again() -> None:
    source = SOURCES["sync"]([b"a", b"b", b"c"])
    asked_at: list[tuple[bytes, int]] = []

    class Steps(Watcher):
        def on_block(self, block: bytes) -> None:
            asked_at.append((block, source.steps))

    call_wsgi(sa.Response(source), watcher=Steps())
    assert asked_at == [(b"a", 1), (b"b", 2), (b"c", 3)]


def test_bulk_fills_a_block_up_to_high_water() -> None:
    answer = call_wsgi(sa.Response(iter([b"x"] * 10), flush="bulk", limits=sa.Limits(high_water=4)))
    assert answer.blocks == [b"xxxx", b"xxxx", b"xx"]


@pytest.mark.parametrize("shortcut", [sa.csv, sa.json_array])
@pytest.mark.parametrize(("flush", "is_gathered"), [("auto", True), ("item", False)])
def test_table_of_a_sync_source_fills_a_block_unless_its_rows_are_flushed(
    shortcut: Any, flush: Any, is_gathered: bool
) -> None:
    answer = call_wsgi(shortcut(iter([[1], [2], [3]]), flush=flush))
    (with_the_first_row,) = (block for block in answer.blocks if b"1" in block)
    assert (b"3" in with_the_first_row) == is_gathered


@pytest.mark.parametrize("status", [100, 200, 204, 404, 500])
def test_a_known_status_has_its_phrase(status: int) -> None:
    assert status_line(status).startswith(f"{status} ")
    assert status_line(status)[4:].isprintable()


def test_an_unknown_status_is_called_unknown() -> None:
    assert status_line(599) == "599 Unknown"
