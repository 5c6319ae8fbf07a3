"""One browser for all tests, and each host from its first test on.

A picture is taken of what a failed test leaves in the browser, and is named in its report. With STREAM_ADAPTER_SHOTS, a
folder, each test's is taken, and put there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser.hosts import COMPRESSED, HOSTS, Host, run
from tests.demo.support import Demo, running
from tests.support.browser import BROWSER, Page, chosen_browser, needs_browser

SHOTS = os.environ.get("STREAM_ADAPTER_SHOTS")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/browser/"):
            item.add_marker(needs_browser)


@pytest.fixture(scope="package")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if SHOTS is None:
        return tmp_path_factory.mktemp("shots")
    folder = Path(SHOTS)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chosen_browser(tmp_path_factory.mktemp(BROWSER)) as browser:
        yield browser


@pytest.fixture
def page(browser: Any, shots: Path) -> Iterator[Page]:  # `shots` is for the hook below
    page = Page(browser)
    yield page
    page.open("about:blank")  # which closes the streams of the page that the test has opened
    page.complaints()  # which forgets them


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running("--port", "0") as demo:
        yield demo


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fixtures: dict[str, Any] = getattr(item, "funcargs", {})
    if report.when == "call" and "page" in fixtures and (report.failed or SHOTS):
        name = re.sub(r"[^\w.-]+", "-", item.name)
        path: Path = fixtures["shots"] / f"{name}.png"
        fixtures["page"].save_screenshot(path)
        report.sections.append(("what the browser showed", str(path)))
    return report


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="package")
def started(files: Path) -> Iterator[Callable[..., Host]]:
    """Start what is served once, when it is asked for first."""
    hosts = dict[str, Host]()
    with ExitStack() as stack:

        def start(serve: Any, app: str) -> Host:
            if app not in hosts:
                hosts[app] = stack.enter_context(run(serve, app, files))
            return hosts[app]

        yield start


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, started: Callable[..., Host]) -> Host:
    return started(*HOSTS[request.param])


@pytest.fixture(params=COMPRESSED)
def compressed(request: pytest.FixtureRequest, started: Callable[..., Host]) -> Host:
    """Serve the application under our middleware, which compresses."""
    return started(*COMPRESSED[request.param])
