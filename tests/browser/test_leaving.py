"""A reader who leaves closes the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.hosts import Host, Stream
from tests.support.browser import Page

READERS = {"events": "follow", "rows": "readRows", "download": "readBytes"}
FIRST: dict[str, object] = {"events": ["0", "0"], "rows": {"row": 0}, "download": "a block"}


def read(page: Page, host: Host, kind: str, stream: Stream) -> None:
    """Have a page read the first item."""
    if kind == "page":
        page.begin(stream.url)
        page.until("document.body.innerText", "0")
    else:
        page.open(host.url)
        page.evaluate(f"void {READERS[kind]}(arguments[0])", stream.url)
        page.until("seen", [FIRST[kind]])


@pytest.mark.parametrize("kind", ["events", "rows", "page", "download"])
def test_closing_the_page_closes_a_waiting_source(host: Host, page: Page, kind: str) -> None:
    stream = host.stream(kind)
    with page.tab() as tab:
        read(tab, host, kind, stream)

    stream.wait_closed()


@pytest.mark.parametrize("kind", ["events", "rows"])
def test_closing_the_page_closes_a_sync_source_at_its_next_step(host: Host, page: Page, kind: str) -> None:
    stream = host.stream(kind, "sync")
    with page.tab() as tab:
        read(tab, host, kind, stream)

    stream.tell("run")  # what waits in a thread cannot be interrupted

    stream.wait_closed()


def test_cancelling_a_download_closes_the_source(host: Host, page: Page, tmp_path: Path) -> None:
    page.command("Browser.setDownloadBehavior", behavior="allowAndName", downloadPath=str(tmp_path))
    stream = host.stream("download")
    page.begin(stream.url)
    page.wait(lambda: any(tmp_path.iterdir()), lambda: "no download has begun")
    (guid,) = {file.stem for file in tmp_path.iterdir()}

    page.command("Browser.cancelDownload", guid=guid)

    stream.wait_closed()
