"""Runs through real servers, in each framework: reloaded in mid-answer, resumed, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple
from uuid import uuid4

import httpx2
import pytest

from stream_adapter.testing import events, rows
from tests.support.servers import Server, gunicorn, uvicorn

_BOUND = 20.0


class Host(NamedTuple):
    name: str
    serve: Callable[..., AbstractContextManager[Server]]
    app: str


HOSTS = [
    Host("plain-gunicorn", gunicorn, "plain_wsgi:app"),
    Host("plain-uvicorn", uvicorn, "plain_asgi:app"),
    Host("flask-gunicorn", gunicorn, "flask_app:app"),
    Host("django-gunicorn", gunicorn, "django_app:wsgi"),
    Host("django-uvicorn", uvicorn, "django_app:asgi"),
    Host("fastapi-uvicorn", uvicorn, "fastapi_app:app"),
]


_MORE = {"plain-uvicorn", "django-gunicorn"}  # whose halves the others have: their server, or their framework


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(host, id=host.name, marks=[pytest.mark.servers] if host.name in _MORE else []) for host in HOSTS
    ],
)
def host(request: pytest.FixtureRequest) -> Host:
    selected: Host = request.param
    return selected


@pytest.fixture(scope="module")
def server(host: Host) -> Iterator[Server]:
    with host.serve(f"tests.runs.apps.{host.app}") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=_BOUND) as client:
        yield client


@pytest.fixture
def key() -> str:
    return uuid4().hex


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_page_that_is_reloaded_in_mid_answer_loses_nothing(client: httpx2.Client, key: str, kind: str) -> None:
    path = f"/run/{key}?n=20&pause=0.02&kind={kind}"
    with client.stream("GET", path) as response:
        heard = events(response)
        first = [next(heard), next(heard)]
    with client.stream("GET", path) as response:
        everything = list(events(response))
    assert [event.id for event in everything[:2]] == [event.id for event in first]
    assert [event.json()["n"] for event in everything[:-1]] == list(range(20))
    assert (everything[-1].event, everything[-1].json()) == ("stream-end", {"status": "done"})
    with client.stream("GET", path, headers={"Last-Event-ID": first[1].id or ""}) as response:
        assert [event.id for event in events(response)] == [event.id for event in everything[2:]]
    response = client.get(path, headers={"Last-Event-ID": everything[-1].id or ""})
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers


def test_run_is_stopped_and_its_clients_are_informed(client: httpx2.Client, key: str) -> None:
    with client.stream("GET", f"/run/{key}?n=1000&pause=0.02") as response:
        heard = events(response)
        run = str(next(heard).id).rpartition(".")[0]
        assert client.get(f"/cancel/{key}/x{run}").text == "False"
        assert client.get(f"/cancel/{key}/{run}").text == "True"
        last = list(heard)[-1]
    assert (last.event, last.json()["run"]) == ("error", "cancelled")
    assert client.get(f"/cancel/{key}/{run}").text == "False"


def test_conflict_is_a_409_and_none_to_join_a_204(client: httpx2.Client, key: str) -> None:
    assert client.get(f"/join/{key}").status_code == 204
    with client.stream("GET", f"/run/{key}?n=1000&pause=0.02") as response:
        run = str(next(events(response)).id).rpartition(".")[0]
        assert client.get(f"/run/{key}?if_running=reject").status_code == 409
        with client.stream("GET", f"/join/{key}?form=ndjson") as joined:
            assert next(rows(joined))["data"]["n"] == 0
        client.get(f"/cancel/{key}/{run}")


def test_client_that_leaves_ends_the_run_if_it_is_asked_to(client: httpx2.Client, key: str) -> None:
    with client.stream("GET", f"/run/{key}?n=100000&pause=0.02&on_disconnect=cancel") as response:
        next(events(response))
    until = time.monotonic() + _BOUND
    while client.get(f"/status/{key}").text != "cancelled":
        assert time.monotonic() < until


def test_each_format_sends_the_whole_run(client: httpx2.Client, key: str) -> None:
    for form in ("ndjson", "json_seq", "json_array", "text", "openai", "ai-sdk"):
        assert b'"n":2' in client.get(f"/run/{key}?form={form}").content
    assert [item["data"]["n"] for item in client.get(f"/run/{key}?form=json_array").json()] == [0, 1, 2]


def test_head_request_begins_nothing(client: httpx2.Client, host: Host, key: str) -> None:
    if host.name.startswith("fastapi"):
        pytest.skip("its route is for GET alone")
    assert client.head(f"/run/{key}").status_code == 200
    assert client.get(f"/join/{key}").status_code == 204


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_source_has_no_database_connection_of_the_request(client: httpx2.Client, host: Host, kind: str) -> None:
    if not host.name.startswith("django"):
        pytest.skip("Django's")
    items = [event.json() for event in events(client.get(f"/database/{kind}"))]
    assert items[:-1] == [{"is_the_request_s": False}] * 3
    assert items[-1] == {"status": "done"}


def test_run_that_an_async_view_starts_outlives_its_request(client: httpx2.Client, host: Host, key: str) -> None:
    if host.name.startswith("plain"):
        pytest.skip("views are those of frameworks")
    started = client.get(f"/start/{key}?n=20&pause=0.02")
    assert started.status_code == 200
    with client.stream("GET", f"/join/{key}") as response:
        read = list(events(response))
    assert [event.json()["n"] for event in read[:-1]] == list(range(20))
    assert (read[-1].event, read[-1].json()) == ("stream-end", {"status": "done"})


def test_run_that_an_async_view_of_django_starts_has_a_database_connection_of_its_own(
    client: httpx2.Client, host: Host, key: str
) -> None:
    if not host.name.startswith("django"):
        pytest.skip("of Django")
    assert client.get(f"/start-database/{key}").status_code == 200
    with client.stream("GET", f"/join/{key}") as response:
        *items, end = events(response)
    assert [item.json() for item in items] == [{"is_the_request_s": False}] * 3
    assert end.event == "stream-end"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_source_has_the_language_and_the_time_zone_of_the_request(client: httpx2.Client, host: Host, kind: str) -> None:
    if not host.name.startswith("django"):
        pytest.skip("of Django")
    with client.stream("GET", f"/language/{kind}") as response:
        *items, end = events(response)
    assert [item.json() for item in items] == [["de", "Asia/Tokyo"]] * (1 if kind == "sync" else 3)
    assert end.event == "stream-end"
