"""profile="anthropic", as the official client of Anthropic's API reads it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.parts import SECRET, WORDS
from tests.support.gate import BOUND
from tests.support.packages import needed
from tests.support.servers import Server

pytestmark = needed("anthropic")

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}


@pytest.fixture(scope="module")
def anthropic() -> Any:
    return importlib.import_module("anthropic")


@pytest.fixture
def client(server: Server, anthropic: Any) -> Iterator[Any]:
    with anthropic.Anthropic(api_key="none", base_url=f"{server.url}/parts/anthropic", max_retries=0) as client:
        yield client


def test_anthropics_client_accumulates_the_message_with_pings_between_its_parts(client: Any) -> None:
    with client.messages.stream(**ASKED) as stream:
        assert list(stream.text_stream) == WORDS
        message = stream.get_final_message()
    assert (message.content[0].text, message.stop_reason) == ("".join(WORDS), "end_turn")


def test_anthropics_client_yields_each_part_by_its_type(client: Any) -> None:
    with client.messages.create(stream=True, **ASKED) as events:
        kinds = [event.type for event in events]
    deltas = ["content_block_delta"] * len(WORDS)
    ends = ["content_block_stop", "message_delta", "message_stop"]
    assert kinds == ["message_start", "content_block_start", *deltas, *ends]


def test_anthropics_client_raises_the_error_after_the_parts_before_it(anthropic: Any, client: Any) -> None:
    seen: list[Any] = []
    with (
        pytest.raises(anthropic.APIStatusError, match="Internal Server Error") as caught,
        client.messages.create(stream=True, extra_query={"fails": 1}, **ASKED) as events,
    ):
        seen.extend(events)  # and keeps those before the error
    assert [event.delta.text for event in seen if event.type == "content_block_delta"] == WORDS
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "api_error", "message": "Internal Server Error"},
    }
    assert SECRET not in str(caught.value)


def test_silence_of_an_anthropic_stream_is_filled_with_pings(server: Server) -> None:
    httpx = pytest.importorskip("httpx")
    body = httpx.get(f"{server.url}/parts/anthropic", timeout=BOUND).text
    assert body.startswith(":\nevent: ")
    assert body.count('event: ping\ndata: {"type":"ping"}\n\n') >= len(WORDS)
