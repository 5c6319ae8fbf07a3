"""What is handed out is the response's own, and what is given once serves for many."""

from __future__ import annotations

from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.integration import as_response, checked_options
from tests.support.interfaces import call_wsgi


def test_formats_handed_out_are_not_shared() -> None:
    first, second = sa.sse(["a"]), sa.sse(["a"])
    assert first.format is not None
    first.format.keepalive = 1.0
    first.format.headers = {"X-User": "alice"}
    assert second.format is not None
    assert second.format.keepalive == 15.0
    assert "X-User" not in dict(second.resolve().headers)
    assert "X-User" not in dict(sa.sse(["a"]).resolve().headers)


OPTIONS: list[dict[str, Any]] = [
    {"headers": {"X-A": ["1", "2"]}},
    {"headers": [("X-A", "1"), ("X-A", "2")]},
    {"headers": (pair for pair in [("X-A", "1"), ("X-A", "2")])},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["mapping", "pairs", "generator"])
def test_checked_options_serve_for_many_responses(options: dict[str, Any]) -> None:
    checked = checked_options(flush="item", status_code=201, **options)
    for _ in range(2):
        response = as_response(iter([b"a"]), **checked)
        assert response.headers.getlist("X-A") == ["1", "2"]
        assert (response.flush, response.status_code) == ("item", 201)
    assert set(checked) == {"headers", "flush", "status_code"}


def test_checked_options_are_checked() -> None:
    with pytest.raises(ValueError, match="status_code"):
        checked_options(status_code=99)


def test_columns_given_as_a_generator_are_read_once() -> None:
    response = sa.csv([[1, 2]], header=(name for name in "ab"))
    assert [call_wsgi(response).body for _ in range(2)] == [b"a,b\r\n1,2\r\n"] * 2
