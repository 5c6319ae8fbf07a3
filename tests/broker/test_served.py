"""A subscription through real servers, in each framework: the view needs no line for the cursor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple

import httpx2
import pytest

from stream_adapter.testing import events, rows
from tests.support.servers import Server, gunicorn, gunicorn_gevent, uvicorn

from .reading import wait_until

_BOUND = 60.0


class Host(NamedTuple):
    name: str
    serve: Callable[..., AbstractContextManager[Server]]
    app: str
    has_spare_threads: bool = False  # of the server, the framework, or greenlets


HOSTS = [
    Host("plain-gunicorn", gunicorn, "plain_wsgi:app"),
    Host("plain-gevent", gunicorn_gevent, "plain_wsgi:app", has_spare_threads=True),
    Host("plain-uvicorn", uvicorn, "plain_asgi:app"),
    Host("flask-gunicorn", gunicorn, "flask_app:app"),
    Host("django-gunicorn", gunicorn, "django_app:wsgi"),
    Host("django-uvicorn", uvicorn, "django_app:asgi", has_spare_threads=True),
    Host("fastapi-uvicorn", uvicorn, "fastapi_app:app", has_spare_threads=True),
]


@pytest.fixture(scope="module", params=HOSTS, ids=[host.name for host in HOSTS])
def host(request: pytest.FixtureRequest) -> Host:
    selected: Host = request.param
    return selected


@pytest.fixture(scope="module")
def server(host: Host) -> Iterator[Server]:
    with host.serve(f"tests.broker.apps.{host.app}") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=_BOUND) as client:
        yield client


@contextmanager
def listening(client: httpx2.Client, form: str = "sse", cursor: str | None = None) -> Generator[httpx2.Response]:
    headers = {} if cursor is None else {"Last-Event-ID": cursor}
    with client.stream("GET", f"/events/{form}", headers=headers) as response:
        assert response.status_code == 200
        yield response


def test_client_receives_published_events_and_resumes_after_the_last(client: httpx2.Client) -> None:
    with listening(client) as response:
        heard = events(response)
        opening = next(heard)
        assert opening.event == "stream-open"
        first = client.get("/control/one").text
        event = next(heard)
        assert (event.id, event.data) == (first, "one")
    second = client.get("/control/two").text
    with listening(client, cursor=first) as response:
        heard = events(response)
        assert next(heard).id == second
        third = client.get("/control/three").text
        assert next(heard).id == third


def test_ndjson_begins_with_the_position_and_its_head_goes_out_at_once(client: httpx2.Client) -> None:
    with listening(client, "ndjson") as response:
        items = rows(response)
        assert next(items)["event"] == "stream-open"
        published = client.get("/control/one").text
        assert next(items) == {"id": published, "data": "one"}


def test_invalid_last_event_id_is_answered_by_a_reset(client: httpx2.Client) -> None:
    with listening(client, cursor="done") as response:
        reset = next(events(response))
        assert (reset.event, reset.json()["reason"]) == ("stream-reset", "unknown")


def test_head_has_the_status_and_fields_of_get_also_where_the_broker_decides_it(client: httpx2.Client) -> None:
    lost, kept = {"Last-Event-ID": "lost"}, {"Last-Event-ID": client.get("/control/one").text}
    for method in ("HEAD", "GET", "HEAD"):
        assert client.request(method, "/events/gone", headers=lost).status_code == 410
    for headers in ({}, kept):
        head = client.head("/events/gone", headers=headers)
        with client.stream("GET", "/events/gone", headers=headers) as response:
            assert (head.status_code, head.content) == (response.status_code, b"") == (200, b"")
            assert head.headers["Content-Type"] == response.headers["Content-Type"]
    wait_until(lambda: int(client.get("/control/counts").text.split()[1]) == 0)


def test_clients_that_leave_a_silent_channel_leave_no_listener(client: httpx2.Client) -> None:
    def listeners() -> int:
        return int(client.get("/control/counts").text.split()[1])

    wait_until(lambda: listeners() == 0)  # those of other tests have left
    with ExitStack() as responses:
        kept: list[Iterator[bytes]] = []  # they close a response when they are dropped
        for form in ("sse", "ndjson", "wrapped-sse", "wrapped-ndjson"):
            kept.append(responses.enter_context(listening(client, f"{form}:silent")).iter_raw())
            next(kept[-1])
        wait_until(lambda: listeners() >= 3)  # a generator may begin to listen after its first item was sent
    wait_until(lambda: listeners() == 0)


def test_listener_costs_no_thread_of_its_own(client: httpx2.Client, host: Host) -> None:
    def counts() -> tuple[int, int]:
        threads, listeners = client.get("/control/counts").text.split()
        return int(threads), int(listeners)

    with listening(client) as response:
        next(events(response))
        before, _ = counts()
        more = [client.stream("GET", "/events/sse") for _ in range(5)]
        for other in more:
            next(events(other.__enter__()))
        threads, listeners = counts()
        assert listeners >= 6
        if not host.has_spare_threads:
            assert threads <= before + (5 if "gunicorn" in host.name else 0)  # gunicorn's own
        for other in more:
            other.__exit__(None, None, None)
