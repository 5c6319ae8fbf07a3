"""examples/answers.py and examples/answers_celery.py: the same addresses, without a queue and with one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from stream_adapter.testing import events
from tests.support.gate import BOUND
from tests.support.queues import working
from tests.support.servers import ROOT, uvicorn
from tests.support.stores import store

pytest.importorskip("fastapi")

OPTIONS = ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
CELERY = [sys.executable, "-m", "celery", "-A", "examples.answers_celery:celery", "worker", *OPTIONS]


@pytest.fixture(scope="module", params=["examples.answers:app", "examples.answers_celery:app"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with ExitStack() as stack:
        env: dict[str, Any] = {}
        if "celery" in request.param:
            pytest.importorskip("celery", reason="celery is not installed, or does not support this Python")
            url = stack.enter_context(store("redis"))
            env = {"BROKER": url, "QUEUE": url.removesuffix("0") + "1"}
            environment = {**env, "PYTHONPATH": f"{ROOT}:{ROOT / 'integrations'}"}
            stack.enter_context(working(CELERY, environment, tmp_path_factory.mktemp("celery") / "log"))
        server = stack.enter_context(uvicorn(request.param, **env))
        yield stack.enter_context(httpx2.Client(base_url=server.url, timeout=BOUND))


def _begin(client: httpx2.Client, prompt: str) -> str:
    answer_id: str = client.post("/answers", params={"prompt": prompt}).json()["id"]
    return f"/answers/{answer_id}"


def test_answer_is_followed_from_its_start_after_a_cursor_and_again(client: httpx2.Client) -> None:
    address = _begin(client, "hold nothing back")
    received: list[Any] = []
    for _ in range(2):
        with client.stream("GET", address) as response:
            received = list(events(response, within=BOUND))
        assert [event.data for event in received[:3]] == ["hold ", "nothing ", "back "]
        assert received[3].event == "stream-end"
    with client.stream("GET", address, headers={"Last-Event-ID": received[1].id}) as response:
        assert [event.data for event in events(response, within=BOUND)][:1] == ["back "]


def test_answer_is_stopped_and_another_id_is_not_found(client: httpx2.Client) -> None:
    address = _begin(client, "word " * 1000)
    with client.stream("GET", address) as response:
        following = events(response, within=BOUND)
        next(following)
        assert client.post(f"{address}/stop").json() == {"stopped": True}
        *_, last = following
    assert (last.event, last.json()["run"]) == ("error", "cancelled")
    assert client.post("/answers/none/stop").json() == {"stopped": False}
