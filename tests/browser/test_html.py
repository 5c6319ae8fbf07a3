"""HTML that is rendered as it comes."""

from __future__ import annotations

from tests.browser.hosts import Host
from tests.support.browser import Page

SHOWN = "[document.body.innerText, document.readyState]"


def test_a_paragraph_is_rendered_before_the_source_goes_on(host: Host, page: Page) -> None:
    stream = host.stream("page")
    page.begin(stream.url)

    page.until(SHOWN, ["0", "loading"])
    stream.tell("go")
    page.until(SHOWN, ["0\n\n1", "loading"])
    stream.tell("end")
    page.until(SHOWN, ["0\n\n1", "complete"])
