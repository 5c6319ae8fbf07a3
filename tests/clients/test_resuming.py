"""Runs that the official clients resume and stop: examples/ai_resume.py, on two workers that share a broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import APIError, NotFoundError, OpenAI

from tests.support.node import Node
from tests.support.servers import Server, uvicorn

APP = "examples.ai_resume:app"
PROMPT = "hold nothing back"
TYPES = ["response.created", *["response.output_text.delta"] * 3, "response.completed"]


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    broker = f"sqlite:///{tmp_path_factory.mktemp('broker')}/broker.db"
    with uvicorn(APP, BROKER=broker) as one, uvicorn(APP, BROKER=broker) as two:
        yield one, two


@pytest.fixture
def clients(workers: tuple[Server, Server]) -> Iterator[tuple[OpenAI, OpenAI]]:
    one, two = (OpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0) for server in workers)
    with one, two:
        yield one, two


def begin(client: OpenAI, prompt: str, count: int) -> tuple[str, int]:
    """Read some events of a new response, and leave; return its id and the last one's number."""
    with client.responses.create(model="m", input=prompt, stream=True, background=True) as events:
        created = next(events)
        assert created.type == "response.created"
        last = created.sequence_number
        for _ in range(count - 1):
            last = getattr(next(events), "sequence_number")  # noqa: B009  # the last of a union's classes has none
    return created.response.id, last


@pytest.mark.parametrize("count", [1, 2, 4])
def test_openais_client_resumes_after_a_sequence_number_at_another_worker(
    clients: tuple[OpenAI, OpenAI], count: int
) -> None:
    one, two = clients
    response_id, last = begin(one, PROMPT, count)
    assert last == count - 1
    with two.responses.retrieve(response_id, stream=True, starting_after=last) as events:
        assert [event.type for event in events] == TYPES[count:]
    with two.responses.retrieve(response_id, stream=True) as events:
        assert [event.type for event in events] == TYPES  # without a number: from its start


def test_openais_client_stops_a_response_at_another_worker_and_its_readers_have_the_error(
    clients: tuple[OpenAI, OpenAI],
) -> None:
    one, two = clients
    response_id, last = begin(one, "word " * 400, 2)
    with one.responses.retrieve(response_id, stream=True, starting_after=last) as events:
        next(events)
        assert two.responses.cancel(response_id).status == "cancelled"
        with pytest.raises(APIError) as caught:
            list(events)
    assert caught.value.code == "cancelled"


def test_openais_client_has_404_for_a_response_that_is_not_there(clients: tuple[OpenAI, OpenAI]) -> None:
    with pytest.raises(NotFoundError):
        clients[0].responses.retrieve("resp_none", stream=True, starting_after=3)


def test_vercels_ai_sdk_resumes_an_answer_from_its_start_and_stops_it(
    workers: tuple[Server, Server], node: Node
) -> None:
    read = node.run("resumed.mjs", f"{workers[0].url}/api/chat")
    assert read == {
        "idle": None,
        "begun": ["start", "text-start", "text-delta"],
        "resumed": ["start", "text-start", "text-delta", "error"],
        "over": None,
    }
