"""Downloads as Chromium itself makes them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from uuid import uuid4

import pytest

from tests.browser.hosts import Host
from tests.browser.relay import breaking
from tests.support.browser import Page

SIZE = 1 << 20


@pytest.fixture
def downloads(page: Page, tmp_path: Path) -> Path:
    page.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    return tmp_path


@pytest.fixture
def file(files: Path) -> Path:
    """Write a file that the hosts send."""
    file = files / uuid4().hex
    file.write_bytes(os.urandom(SIZE))
    return file


def sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in folder.iterdir()}


def wait_for(page: Page, saved: Path, content: bytes) -> None:
    page.wait(
        lambda: saved.is_file() and saved.read_bytes() == content,
        lambda: f"{saved.name} is not the {len(content)} bytes that were sent; there is {sizes(saved.parent)}",
    )


def test_generated_download_is_saved_whole(host: Host, page: Page, downloads: Path) -> None:
    stream = host.stream("download")
    page.begin(stream.url)

    for command in ("go", "go", "end"):
        stream.tell(command)

    wait_for(page, downloads / "blocks.bin", bytes(range(256)) * 3)


def test_a_download_whose_source_fails_is_not_saved(host: Host, page: Page, downloads: Path) -> None:
    stream = host.stream("download")
    page.begin(stream.url)
    page.wait(lambda: any(downloads.iterdir()), lambda: "no download has begun")

    stream.tell("fail")

    page.wait(lambda: not any(downloads.iterdir()), lambda: f"there is {sizes(downloads)}")


def test_a_download_whose_connection_breaks_is_resumed(host: Host, page: Page, downloads: Path, file: Path) -> None:
    etag = host.client.get(f"/file/{file.name}", headers={"Range": "bytes=0-0"}).headers["ETag"]

    with breaking(host.server.port, limit=SIZE // 2, before_break=lambda: None) as relay:
        page.begin(f"{relay.url}file/{file.name}")
        wait_for(page, downloads / "saved.bin", file.read_bytes())

    first, second = relay.requests
    assert "range" not in first
    received = re.fullmatch(r"bytes=(\d+)-", second["range"])
    assert received
    assert 0 < int(received[1]) < SIZE
    assert second["if-range"] == etag


def test_a_file_that_has_changed_since_is_downloaded_again(host: Host, page: Page, downloads: Path, file: Path) -> None:
    content = os.urandom(SIZE + 1)

    with breaking(host.server.port, limit=SIZE // 2, before_break=lambda: file.write_bytes(content)) as relay:
        page.begin(f"{relay.url}file/{file.name}")
        wait_for(page, downloads / "saved.bin", content)

    assert len(relay.requests) >= 2
