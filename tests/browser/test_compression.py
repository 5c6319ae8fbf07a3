"""Events of an application that knows nothing of us, under our middleware, in each coding that Chromium offers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.hosts import Host
from tests.support.browser import Page


@pytest.fixture(params=["gzip", "br", "zstd"])
def coding(request: pytest.FixtureRequest, page: Page) -> Iterator[str]:
    """Have Chromium offer one coding only."""
    page.command("Network.enable")
    page.command("Network.setExtraHTTPHeaders", headers={"Accept-Encoding": request.param})
    yield request.param
    page.command("Network.disable")


def test_a_compressed_event_is_dispatched_before_the_source_goes_on(compressed: Host, page: Page, coding: str) -> None:
    page.open(compressed.url)
    assert page.evaluate("codingOf(arguments[0])", compressed.unadapted().url) == coding

    stream = compressed.unadapted()
    page.evaluate("follow(arguments[0])", stream.url)

    page.until("seen", [["0", "0"]])
    stream.tell("go")
    page.until("seen", [["0", "0"], ["1", "1"]])
    stream.tell("go")
    page.until("seen", [["0", "0"], ["1", "1"], ["2", "2"]])
