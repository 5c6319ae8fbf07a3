"""EventSource: events as they are yielded, reconnects that go on where they were, and an end that is one."""

from __future__ import annotations

from stream_adapter.formats._base import PROBLEM
from tests.browser.hosts import Host
from tests.support.browser import Page


def test_an_event_is_dispatched_before_the_source_goes_on(host: Host, page: Page) -> None:
    stream = host.stream("events")
    page.open(host.url)
    page.evaluate("follow(arguments[0])", stream.url)

    page.until("seen", [["0", "0"]])
    stream.tell("go")
    page.until("seen", [["0", "0"], ["1", "1"]])
    stream.tell("go")
    page.until("seen", [["0", "0"], ["1", "1"], ["2", "2"]])


def test_a_stream_that_fails_is_an_error_and_goes_on_after_its_last_event(host: Host, page: Page) -> None:
    stream = host.stream("events")
    page.open(host.url)
    page.evaluate("follow(arguments[0])", stream.url)
    page.until("seen", [["0", "0"]])

    stream.tell("fail")

    page.until("seen", [["0", "0"], PROBLEM, "connecting", ["1", "1"]])
    assert stream.asked() == [None, "0"]


def test_a_stream_that_ends_stays_ended(host: Host, page: Page) -> None:
    stream = host.stream("events")
    page.open(host.url)
    page.evaluate("follow(arguments[0])", stream.url)
    page.until("seen", [["0", "0"]])

    stream.tell("end")

    page.until("seen", [["0", "0"], "done", "connecting", "closed"])  # it asks once more, and is answered 204
    assert stream.asked() == [None, "done"]
