"""`fetch`, and a reader of its body."""

from __future__ import annotations

import pytest

from stream_adapter.formats._base import PROBLEM
from tests.browser.hosts import Host
from tests.support.browser import BROWSER, Page

FAILURE = {
    "chromium": "TypeError: network error",
    "firefox": "TypeError: Error in input stream",
    "webkit": "done",  # its GTK port takes an end between two chunks for that of the body
}[BROWSER]


def test_a_row_is_read_before_the_source_goes_on(host: Host, page: Page) -> None:
    stream = host.stream("rows")
    page.open(host.url)
    page.evaluate("void readRows(arguments[0])", stream.url)

    page.until("seen", [{"row": 0}])
    stream.tell("go")
    page.until("seen", [{"row": 0}, {"row": 1}])
    stream.tell("end")
    page.until("seen", [{"row": 0}, {"row": 1}, "done"])


@pytest.mark.parametrize(
    ("kind", "function", "first", "last"),
    [
        ("rows", "readRows", [{"row": 0}], [{"error": PROBLEM}]),
        ("download", "readBytes", ["a block"], []),
    ],
)
def test_a_stream_that_fails_is_an_error_where_the_browser_looks_for_its_end(
    host: Host, page: Page, kind: str, function: str, first: list[object], last: list[object]
) -> None:
    stream = host.stream(kind)
    page.open(host.url)
    page.evaluate(f"void {function}(arguments[0])", stream.url)
    page.until("seen", first)

    stream.tell("fail")

    page.until("seen", [*first, *last, FAILURE])
