"""Event streams as three independent clients read them, byte by byte from a real server."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from selenium.webdriver import Chrome

from tests.clients.cases import CASES
from tests.support.browser import needs_chromium
from tests.support.node import Node
from tests.support.servers import Server

PATHS = {name: f"/case/{quote(name)}" for name in CASES}
CLIENTS = ["eventsource-parser", "eventsource", pytest.param("Chromium", marks=needs_chromium)]
EVENT_SOURCES = CLIENTS[1:]


def in_browser(browser: Any, function: str, *arguments: object) -> Any:  # selenium's own types are half unknown
    """Call a function of collect.mjs with the browser's EventSource."""
    script = (
        "const [name, values, done] = arguments;"
        "import('/collect.mjs').then((module) => module[name](EventSource, ...values)).then(done, (e) => done(`${e}`))"
    )
    return browser.execute_async_script(script, function, arguments)


@pytest.fixture(scope="module", params=CLIENTS)
def read(request: pytest.FixtureRequest, server: Server) -> tuple[str, dict[str, Any]]:
    """Have one client read all cases: once, for to start it takes longer than to read."""
    if request.param == "Chromium":
        browser: Chrome = request.getfixturevalue("browser")
        found = [in_browser(browser, "collect", PATHS[name], case.types) for name, case in CASES.items()]
    else:
        node: Node = request.getfixturevalue("node")
        cases = json.dumps([[PATHS[name], case.types] for name, case in CASES.items()])
        found = node.run("events.mjs", request.param, server.url, cases)
    return request.param, dict(zip(CASES, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_each_client_library_dispatches_the_events_that_were_sent(read: tuple[str, dict[str, Any]], name: str) -> None:
    client, found = read
    expected: list[list[Any]] = [list(event) for event in CASES[name].dispatched]
    if client == "eventsource-parser":  # the others keep retries to themselves
        expected += [["retry", milliseconds] for milliseconds in (2000, *CASES[name].retries)]
    assert found[name] == expected


@pytest.mark.parametrize("client", EVENT_SOURCES)
def test_an_event_source_resumes_after_each_break_and_stops_at_the_end(
    client: str, server: Server, request: pytest.FixtureRequest
) -> None:
    path = f"/resume/{client}"
    if client == "Chromium":
        browser: Chrome = request.getfixturevalue("browser")
        followed = in_browser(browser, "follow", path)
    else:
        node: Node = request.getfixturevalue("node")
        followed = node.run("follow.mjs", server.url + path)

    numbers = [[str(number), str(number)] for number in range(1, 10)]
    failures = [["error", "3"], ["error", "6"]]  # which carry no id of their own
    assert followed == [*numbers[:3], failures[0], *numbers[3:6], failures[1], *numbers[6:], ["done", "done"]]
    asked = httpx.get(f"{server.url}/log/{client}").json()["log"]
    assert asked == [[None, True], ["3", True], ["6", True], ["done", False]]
