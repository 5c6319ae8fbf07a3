"""A route's output contract holds for the items of runs and subscriptions, too."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

import stream_adapter as sa
from stream_adapter.testing import events, stream_client
from stream_adapter_fastapi import streaming


class Public(BaseModel):
    name: str


@pytest.fixture
def live() -> Iterator[sa.Broker]:
    with sa.Broker() as live:
        yield live


async def _users() -> AsyncGenerator[dict[str, str]]:
    yield {"name": "ada", "password": "hunter2"}


_FORMS: dict[str, Callable[[sa.Run], Any]] = {
    "sse": sa.sse,
    "openai": lambda run: sa.sse(run, profile="openai"),
    "ndjson": sa.ndjson,
    "json_array": sa.json_array,
    "json_seq": sa.json_seq,
    "text": sa.text,
    "undecided": lambda run: run,
}


@pytest.mark.parametrize("options", [{"response_model": Public}, {"response_model_exclude": {"password"}}], ids=str)
@pytest.mark.parametrize("form", _FORMS)
def test_items_of_a_run_are_held_to_the_contract(live: sa.Broker, form: str, options: dict[str, Any]) -> None:
    app = FastAPI()

    @app.get("/", **options)
    @streaming
    async def get() -> Any:
        return _FORMS[form](live.run("a", _users))

    with TestClient(app) as client:
        body = client.get("/").text
    assert '{"name":"ada"}' in body
    assert "hunter2" not in body
    ends = {"sse": '{"status":"done"}', "undecided": '{"status":"done"}', "openai": "[DONE]", "ndjson": "stream-end"}
    assert ends.get(form, "") in body


def test_events_and_snapshot_of_a_subscription_are_held_to_the_contract(live: sa.Broker) -> None:
    app = FastAPI()

    @app.get("/", response_model=Public)
    @streaming
    async def get() -> Any:
        channels = ["users", "others"]
        return sa.sse(live.subscribe(channels, snapshot=lambda: {"name": "all", "password": "hunter2"}))

    with stream_client(app) as client, client.stream("GET", "/") as response:
        received = events(response)
        opening, snapshot = next(received), next(received)
        live.publish("others", {"name": "ada", "password": "hunter2"}, event="user")
        user = next(received)
    assert opening.event == "stream-open"
    assert (snapshot.event, snapshot.json()) == ("snapshot", {"name": "all"})
    assert (user.event, user.json()) == ("user", {"name": "ada"})


def test_item_of_a_run_that_does_not_fit_is_an_error_and_nothing_of_it_is_sent(live: sa.Broker) -> None:
    async def wrong() -> AsyncGenerator[dict[str, str]]:
        yield {"password": "hunter2"}

    app = FastAPI()

    @app.get("/", response_model=Public)
    @streaming
    async def get() -> Any:
        return sa.ndjson(live.run("a", wrong))

    with TestClient(app, raise_server_exceptions=False) as client:
        response = client.get("/")
    assert "hunter2" not in response.text


def test_run_in_an_annotation_says_nothing_of_the_items(live: sa.Broker) -> None:
    app = FastAPI()

    @app.get("/run")
    @streaming
    async def get() -> sa.Run:
        return live.run("a", _users)

    @app.get("/items")
    @streaming
    async def get_items() -> AsyncIterator[Public]:
        return sa.sse(live.run("a", _users))  # type: ignore[return-value]

    assert "/run" in app.openapi()["paths"]
    with TestClient(app) as client:
        assert "hunter2" in client.get("/run").text
        assert "hunter2" not in client.get("/items").text
