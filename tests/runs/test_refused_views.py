"""A view that asks for a run and is refused, through real servers: 503 where the engine is away, 409 at a conflict."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.support.servers import gunicorn, uvicorn

_APPS = "tests.runs.apps.refused"
_SYNC = {"start": 503, "join": 503, "cancel": 503, "produce": 503, "conflict": 409}
_ASYNC = {"start": 503, "join": 503, "conflict": 409}


def statuses(client: httpx2.Client, path: str, expected: dict[str, int]) -> None:
    """Ask a view in each way, and compare the answers."""
    answers = {way: client.get(f"{path}/{way}") for way in expected}
    assert {way: answer.status_code for way, answer in answers.items()} == expected
    retries = {way: answer.headers.get("Retry-After") for way, answer in answers.items()}
    assert retries == {way: "1" if status == 503 else None for way, status in expected.items()}


@pytest.fixture(scope="module")
def flask() -> Iterator[httpx2.Client]:
    with gunicorn(f"{_APPS}.flask_app:app") as server, httpx2.Client(base_url=server.url, timeout=20) as client:
        yield client


def test_refused_flask_view_is_answered_by_the_status_of_the_refusal(flask: httpx2.Client) -> None:
    statuses(flask, "/adapted/plain", _SYNC)
    statuses(flask, "/adapted/decorated", _SYNC)
    statuses(flask, "/decorated", _SYNC)
    statuses(flask, "/decorated_async", _ASYNC)
    assert flask.get("/plain/start").status_code == 500  # no integration is installed there


def test_flask_handlers_answer_a_refusal_by_its_status_or_class(flask: httpx2.Client) -> None:
    assert "the page of the app" in flask.get("/adapted/plain/start").text
    answer = flask.get("/handled/plain/start")
    assert (answer.status_code, answer.text) == (502, "of its class")


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "db.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (number)")
    return str(path)


@pytest.mark.parametrize("installed", [pytest.param("", id="decorator"), pytest.param("yes", id="middleware")])
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_refused_django_view_is_answered_by_the_status_of_the_refusal(
    protocol: str, installed: str, database: str
) -> None:
    serve = gunicorn if protocol == "wsgi" else uvicorn
    with (
        serve(f"{_APPS}.django_app:{protocol}", ADAPTER=installed, DATABASE=database) as server,
        httpx2.Client(base_url=server.url, timeout=20) as client,
    ):
        statuses(client, "/decorated", _SYNC)
        statuses(client, "/decorated_async", _ASYNC)
        if installed:
            statuses(client, "/plain", _SYNC)
            statuses(client, "/plain_async", _ASYNC)
        else:
            assert client.get("/plain/start").status_code == 500


def test_refused_django_view_is_rolled_back_under_atomic_requests(database: str) -> None:
    with (
        gunicorn(f"{_APPS}.django_app:wsgi", ADAPTER="yes", ATOMIC="yes", DATABASE=database) as server,
        httpx2.Client(base_url=server.url, timeout=20) as client,
    ):
        assert client.get("/decorated/start").status_code == 503
        assert client.get("/notes").text == "0"


@pytest.fixture(scope="module")
def fastapi() -> Iterator[httpx2.Client]:
    with uvicorn(f"{_APPS}.fastapi_app:app") as server, httpx2.Client(base_url=server.url, timeout=20) as client:
        yield client


def test_refused_fastapi_view_is_answered_by_the_status_of_the_refusal(fastapi: httpx2.Client) -> None:
    statuses(fastapi, "/adapted/plain", _SYNC)
    statuses(fastapi, "/adapted/plain_async", _ASYNC)
    statuses(fastapi, "/adapted/decorated", _SYNC)
    statuses(fastapi, "/decorated", _SYNC)
    statuses(fastapi, "/decorated_async", _ASYNC)
    assert fastapi.get("/decorated/start").json() == {"detail": "Service Unavailable"}


def test_fastapi_handler_answers_a_refusal_by_its_class(fastapi: httpx2.Client) -> None:
    answer = fastapi.get("/handled/plain/start")
    assert (answer.status_code, answer.json()) == (502, "of its class")


@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_refused_application_under_the_middleware_is_answered_by_the_status_of_the_refusal(protocol: str) -> None:
    serve = gunicorn if protocol == "wsgi" else uvicorn
    with (
        serve(f"{_APPS}.plain_app:{protocol}") as server,
        httpx2.Client(base_url=server.url, timeout=20) as client,
    ):
        for events in ({}, {"Accept": "text/event-stream"}):  # under WSGI in a thread of its own
            client.headers = httpx2.Headers(events)
            statuses(client, "", _SYNC if protocol == "wsgi" else _ASYNC)
