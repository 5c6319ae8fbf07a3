"""Every client sees as many events as were sent: `retry`, comments and keepalives make none of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import httpx_sse
import pytest
from openai._streaming import SSEDecoder

from tests.clients.test_event_streams import in_browser
from tests.support.browser import needs_chromium
from tests.support.gate import BOUND
from tests.support.node import Node
from tests.support.servers import Server

PATH = "/kept-alive"
EVENTS = [["message", '{"n":1}', "1"], ["message", '{"n":2}', "2"]]
END = ["over", "", "over"]


def by_httpx_sse(server: Server, _: pytest.FixtureRequest) -> list[Any]:
    with httpx.Client(timeout=BOUND) as client, httpx_sse.connect_sse(client, "GET", server.url + PATH) as source:
        return [[event.event, event.data, event.id] for event in source.iter_sse()]


def by_openai(server: Server, _: pytest.FixtureRequest) -> list[Any]:
    with httpx.stream("GET", server.url + PATH, timeout=BOUND) as response:
        decoded = SSEDecoder().iter_bytes(response.iter_bytes())
        return [[event.event or "message", event.data, event.id] for event in decoded]


def by_fetch_event_source(server: Server, request: pytest.FixtureRequest) -> list[Any]:
    node: Node = request.getfixturevalue("node")
    events: list[Any] = node.run("fetched.mjs", server.url + PATH)
    return events


def by_node(client: str) -> Callable[[Server, pytest.FixtureRequest], list[Any]]:
    def read(server: Server, request: pytest.FixtureRequest) -> list[Any]:
        node: Node = request.getfixturevalue("node")
        found = node.run("events.mjs", client, server.url, json.dumps([[PATH, []]]))
        return [*(event for event in found[0] if event[0] != "retry"), END]

    return read


def by_chromium(server: Server, request: pytest.FixtureRequest) -> list[Any]:
    return [*in_browser(request.getfixturevalue("browser"), "collect", PATH, []), END]


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(by_httpx_sse, id="httpx-sse"),
        pytest.param(by_openai, id="openai"),
        pytest.param(by_fetch_event_source, id="fetch-event-source"),
        pytest.param(by_node("eventsource"), id="eventsource"),
        pytest.param(by_node("eventsource-parser"), id="eventsource-parser"),
        pytest.param(by_chromium, id="Chromium", marks=needs_chromium),
    ],
)
def test_a_client_sees_the_events_that_were_sent_and_no_other(
    read: Callable[[Server, pytest.FixtureRequest], list[Any]], server: Server, request: pytest.FixtureRequest
) -> None:
    assert read(server, request) == [*EVENTS, END]


def test_headers_and_retry_are_sent_before_the_first_event(server: Server) -> None:
    with httpx.stream("GET", server.url + PATH, timeout=BOUND) as response:
        body = response.read()
    assert body.startswith(b"retry: 2000\n: only\n:\n")
    assert body.count(b"\n:\n") >= 3
