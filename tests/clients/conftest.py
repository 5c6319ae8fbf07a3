"""A server, and the clients of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.support.browser import Page, chromium
from tests.support.gate import BOUND
from tests.support.node import Node, install
from tests.support.servers import Server, uvicorn


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return install(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    with uvicorn("tests.clients.app:app") as server:
        yield server


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Chrome]:
    """Start Chromium, on a page of the server's."""
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        browser.set_script_timeout(2 * BOUND)
        Page(browser).open(server.url)
        yield browser
