"""profile="ag-ui", from the models of the protocol's Python package to its JavaScript client."""

from __future__ import annotations

from typing import Any

import httpx
import httpx_sse
import pytest

from tests.clients.parts import SECRET, WORDS
from tests.support.gate import BOUND
from tests.support.node import AG_UI, Node, install
from tests.support.packages import needed
from tests.support.servers import Server

pytestmark = needed("ag_ui", "pydantic")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return install(tmp_path_factory.mktemp("ag_ui"), AG_UI)


def events_of(server: Server, query: str = "") -> list[Any]:
    """Read a stream with an independent parser; the protocol's models check each event."""
    import pydantic  # noqa: PLC0415  # where the packages are
    from ag_ui import core  # noqa: PLC0415

    known: Any = pydantic.TypeAdapter(core.Event)
    events: list[Any] = []
    with (
        httpx.Client(timeout=BOUND) as client,
        httpx_sse.connect_sse(client, "GET", f"{server.url}/parts/ag-ui{query}") as source,
    ):
        try:
            events.extend(known.validate_json(event.data) for event in source.iter_sse())
        except httpx.RemoteProtocolError:  # a stream that failed breaks
            events.append(None)
    return events


def test_ag_ui_models_parse_each_event_of_the_profile(server: Server) -> None:
    events = events_of(server)
    assert [event.type.value for event in (events[0], events[-1])] == ["RUN_STARTED", "RUN_FINISHED"]
    assert [event.delta for event in events if event.type == "TEXT_MESSAGE_CONTENT"] == WORDS


def test_failure_of_an_ag_ui_stream_is_a_run_error_and_breaks_the_connection(server: Server) -> None:
    *_, error, broken = events_of(server, "?fails=1")
    assert (error.type.value, error.message, broken) == ("RUN_ERROR", "Internal Server Error", None)


def test_ag_uis_client_reads_a_message_with_comments_between_its_events(server: Server, agent: Node) -> None:
    read = agent.run("agent.mjs", f"{server.url}/parts/ag-ui")
    assert read == {"text": "".join(WORDS), "errors": [], "finished": True}


def test_ag_uis_client_has_the_error_and_the_words_before_it(server: Server, agent: Node) -> None:
    read = agent.run("agent.mjs", f"{server.url}/parts/ag-ui?fails=1")
    assert (read["text"], read["finished"]) == ("".join(WORDS), False)
    assert read["errors"][0] == "Internal Server Error"
    assert SECRET not in str(read["errors"])
