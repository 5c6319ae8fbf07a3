"""What every host promises, whatever its framework, its protocol, and the kinds of its view and source."""

from __future__ import annotations

import itertools
import pkgutil
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import httpx2
import pytest

from stream_adapter.testing import next_chunk, stream_client
from tests.contract import cases
from tests.support.gate import BOUND
from tests.support.servers import Server, gunicorn, uvicorn

Open = Callable[[str], AbstractContextManager[httpx2.Client]]
SYNC, ASYNC, BOTH = ("sync",), ("async",), ("sync", "async")


def over(serve: Callable[[str], AbstractContextManager[Server]]) -> Open:
    """Open clients over a real server."""

    @contextmanager
    def open_client(app: str) -> Generator[httpx2.Client]:
        # one connection per request: uvicorn closes it after an error, and a pool would race that
        limits = httpx2.Limits(max_keepalive_connections=0)
        with serve(app) as server, httpx2.Client(base_url=server.url, timeout=BOUND, limits=limits) as client:
            yield client

    return open_client


def by_the_kit(app: str) -> httpx2.Client:
    """Open a client by the testing kit, in process, which is to show what a real server would."""
    return stream_client(pkgutil.resolve_name(app), raise_app_exceptions=False, close_timeout=None, timeout=BOUND)


HOSTS: dict[str, tuple[Open, str, tuple[str, ...]]] = {
    "plain WSGI": (over(gunicorn), "plain_wsgi:app", SYNC),
    "plain ASGI": (over(uvicorn), "plain_asgi:app", ASYNC),
    "Flask": (over(gunicorn), "flask_app:app", BOTH),
    "Django WSGI": (over(gunicorn), "django_app:wsgi", BOTH),
    "Django ASGI": (over(uvicorn), "django_app:asgi", BOTH),
    "FastAPI": (over(uvicorn), "fastapi_app:app", BOTH),
    "plain WSGI by the kit": (by_the_kit, "plain_wsgi:app", SYNC),
    "plain ASGI by the kit": (by_the_kit, "plain_asgi:app", ASYNC),
    "Flask by the kit": (by_the_kit, "flask_app:app", BOTH),
    "FastAPI by the kit": (by_the_kit, "fastapi_app:app", BOTH),
}
VIEWS = [(host, view) for host, (_, _, views) in HOSTS.items() for view in views]

DEVIATIONS: dict[tuple[str, str], str] = {
    (
        host,
        "test_response_that_is_made_and_not_sent_closes_its_source_at_once",
    ): "a Response alone is a value"
    for host in HOSTS
    if host.startswith("plain")
}
"""(host, test) → why that host may not keep the promise."""

_keys = map(str, itertools.count())


@dataclass(frozen=True)
class Client:
    """Speaks to one view of one host, whose source is of one kind."""

    http: httpx2.Client
    view: str
    way: str

    def url(self, case: str, key: str) -> str:
        return f"/{self.view}/{case}/{self.way}/{key}"

    def get(self, case: str, key: str | None = None) -> httpx2.Response:
        return self.http.get(self.url(case, key or next(_keys)))

    def stream(self, case: str, key: str) -> AbstractContextManager[httpx2.Response]:
        return self.http.stream("GET", self.url(case, key))

    def open_gate(self, key: str) -> None:
        assert "open" in self.http.get(f"/control/open/{key}").text

    def ending(self, key: str) -> list[str]:
        """Wait until the stream is closed; return how often it was, and each reason that was reported."""
        return self.http.get(f"/control/ended/{key}").text.strip('"').split(" ")


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[str], httpx2.Client]]:
    with ExitStack() as stack:
        clients: dict[str, httpx2.Client] = {}

        def client_of(host: str) -> httpx2.Client:
            if host not in clients:
                open_client, app, _ = HOSTS[host]
                clients[host] = stack.enter_context(open_client(f"tests.contract.apps.{app}"))
            return clients[host]

        yield client_of


@pytest.fixture(params=VIEWS, ids=lambda param: f"{param[0]}, {param[1]} view")
def host_and_view(request: pytest.FixtureRequest) -> tuple[str, str]:
    host, view = request.param
    if reason := DEVIATIONS.get((host, request.function.__name__)):
        pytest.skip(f"{host}: {reason}")
    return host, view


@pytest.fixture(params=["sync", "async"], ids=lambda way: f"{way} source")
def client(
    request: pytest.FixtureRequest, host_and_view: tuple[str, str], serve: Callable[[str], httpx2.Client]
) -> Client:
    host, view = host_and_view
    return Client(serve(host), view, request.param)


@pytest.fixture
def key() -> str:
    return next(_keys)


def test_each_chunk_is_received_before_the_source_goes_on(client: Client, key: str) -> None:
    with client.stream("gated", key) as response:
        assert next_chunk(response) == b"0"
        client.open_gate(key)
        assert next_chunk(response) == b"1"
        client.open_gate(key)
        assert next_chunk(response) == b"2"
        with pytest.raises(AssertionError, match="the response ended"):
            next_chunk(response)
    assert response.headers["content-type"] == "application/octet-stream"
    assert client.ending(key) == ["1", "done"]


def test_error_before_the_first_chunk_is_a_500_without_its_text(client: Client, key: str) -> None:
    response = client.get("fails_early", key)
    assert response.status_code == 500
    assert cases.SECRET not in response.text
    assert client.ending(key) == ["1", "error"]


def test_error_after_two_chunks_breaks_the_connection_without_its_text(client: Client, key: str) -> None:
    received = b""
    with client.stream("fails_late", key) as response:
        client.open_gate(key)
        with pytest.raises(httpx2.RemoteProtocolError):
            for chunk in response.iter_raw():
                received += chunk
    assert response.status_code == 200
    assert received == b"one,two,"
    assert cases.SECRET not in str(response.headers)
    assert client.ending(key) == ["1", "error"]


def test_a_client_that_leaves_closes_the_source_once(client: Client, key: str) -> None:
    with client.stream("endless", key) as response:
        assert next_chunk(response) == b"first"
    if client.way == "sync":  # its thread is inside the source, which only the test can end
        client.open_gate(key)
    assert client.ending(key) == ["1", "disconnect"]


def test_head_sends_the_headers_and_closes_the_source_that_was_never_started(client: Client, key: str) -> None:
    response = client.http.head(client.url("cookies", key))
    assert response.status_code == 202
    assert response.headers.get_list("set-cookie") == cases.COOKIES
    assert response.content == b""
    closes, *_ = client.ending(key)
    assert closes == "1"


def test_no_content_has_no_body_and_closes_the_source(client: Client, key: str) -> None:
    response = client.get("no_content", key)
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers
    closes, *_ = client.ending(key)
    assert closes == "1"


@pytest.mark.parametrize(("how", "status"), [("replaced", 200), ("raised", 500)])
def test_response_that_is_made_and_not_sent_closes_its_source_at_once(
    client: Client, key: str, how: str, status: int
) -> None:
    answer = client.http.get(f"/unsent/{client.view}/{how}/{client.way}/{key}")
    assert answer.status_code == status
    assert client.ending(key) == ["1", "not_started"]


def test_a_cookie_may_be_set_twice_and_a_hop_by_hop_field_is_dropped(client: Client, key: str) -> None:
    client.open_gate(key)
    client.open_gate(key)
    response = client.get("cookies", key)
    assert (response.status_code, response.content) == (202, b"012")
    assert response.headers.get_list("set-cookie") == cases.COOKIES


def test_the_source_sees_the_variables_of_middleware_and_view_and_keeps_its_own(client: Client, key: str) -> None:
    with client.stream("variables", key) as response:
        client.open_gate(key)
        assert response.read() == b"middleware,view,source"


def test_chunks_of_every_type_arrive(client: Client, key: str) -> None:
    response = client.get("mixed", key)
    assert response.content == cases.MIXED_BODY
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_json_values_are_sent_one_per_line(client: Client, key: str) -> None:
    response = client.get("items", key)
    assert response.content == b'{"a":1}\n"text"\nnull\n'
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["x-accel-buffering"] == "no"


def test_events_have_comments_between_them_while_the_source_is_silent_and_an_end(client: Client, key: str) -> None:
    received = b""
    with client.stream("events", key) as response:
        for chunk in response.iter_raw():
            if b"id: 1" not in received and b":\n" in chunk.split(b"data: 0\n\n")[-1]:
                client.open_gate(key)
            received += chunk
    assert response.headers["content-type"] == "text/event-stream"
    frames = received.replace(b":\n", b"").split(b"\n\n")
    assert frames == [b"retry: 2000\nid: 0\ndata: 0", b"id: 1\ndata: 1", b"event: done\nid: done\ndata: ", b""]
    assert client.ending(key) == ["1", "done"]


@pytest.mark.parametrize(("headers", "query"), [({"Last-Event-ID": "done"}, ""), ({}, "?last_event_id=done")])
def test_a_client_that_has_the_last_event_is_answered_204(
    client: Client, key: str, headers: dict[str, str], query: str
) -> None:
    response = client.http.get(client.url("events", key) + query, headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers
    closes, *_ = client.ending(key)
    assert closes == "1"


def test_error_after_two_events_is_an_error_event_without_its_text(client: Client, key: str) -> None:
    received = b""
    with client.stream("fails_after_events", key) as response:
        client.open_gate(key)
        with pytest.raises(httpx2.RemoteProtocolError):
            for chunk in response.iter_raw():
                received += chunk
    problem = b'event: error\ndata: {"type":"about:blank","title":"Internal Server Error","status":500}\n\n'
    assert received == b"retry: 2000\ndata: 0\n\ndata: 1\n\n" + problem
    assert client.ending(key) == ["1", "error"]


@pytest.mark.parametrize(
    ("accept", "media_type", "first", "rest"),
    [
        ("*/*", "application/x-ndjson", b'{"row":1}\n', b'{"row":2}\n'),
        ("application/json", "application/json", b'[{"row":1}', b',{"row":2}]'),
        ("application/json-seq", "application/json-seq", b'\x1e{"row":1}\n', b'\x1e{"row":2}\n'),
        ("text/event-stream", "text/event-stream", b'retry: 2000\ndata: {"row":1}\n\n', b'data: {"row":2}\n\n'),
    ],
)
def test_the_client_may_choose_the_format_and_has_each_item_as_it_comes(
    client: Client, key: str, accept: str, media_type: str, first: bytes, rest: bytes
) -> None:
    with client.http.stream("GET", client.url("rows", key), headers={"Accept": accept}) as response:
        chunks, received = response.iter_raw(), b""
        while len(received) < len(first):
            received += next(chunks)
        assert received == first
        client.open_gate(key)
        assert b"".join(chunks) == rest
    assert response.headers["content-type"] == media_type
    assert response.headers["x-accel-buffering"] == "no"
    assert {name.strip() for name in response.headers["vary"].split(",")} == {"Cookie", "Accept"}
    assert client.ending(key) == ["1", "done"]


def test_strict_mode_refuses_text_as_the_first_chunk_with_a_500(client: Client, key: str) -> None:
    assert client.get("strict_first", key).status_code == 500
    assert client.ending(key) == ["1", "error"]


def test_strict_mode_refuses_text_after_that_with_a_broken_connection(client: Client, key: str) -> None:
    received = b""
    with client.stream("strict_second", key) as response:
        client.open_gate(key)
        with pytest.raises(httpx2.RemoteProtocolError):
            for chunk in response.iter_raw():
                received += chunk
    assert received == b"bytes"
    assert client.ending(key) == ["1", "error"]


def test_several_streams_run_at_once(client: Client) -> None:
    keys = [next(_keys) for _ in range(4)]
    with ExitStack() as stack:
        streams = [stack.enter_context(client.stream("gated", key)).iter_raw() for key in keys]
        assert [next(stream) for stream in streams] == [b"0"] * 4
        for key, stream in reversed([*zip(keys, streams, strict=True)]):
            client.open_gate(key)
            assert next(stream) == b"1"
        for key, stream in zip(keys, streams, strict=True):
            client.open_gate(key)
            assert b"".join(stream) == b"2"
    assert [client.ending(key) for key in keys] == [["1", "done"]] * 4
