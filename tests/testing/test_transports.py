"""What the transports do that a server and a network would do, for either protocol, as a sync client sees it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from wsgiref.validate import validator

import httpx2
import pytest

from stream_adapter.testing import WSGIStreamTransport, next_chunk, stream_client
from stream_adapter.types import Environ, StartResponse
from tests.support.gate import BOUND, Gate
from tests.support.sources import CountingSource
from tests.testing.apps import Make, either_protocol, wsgi_app


@either_protocol
def test_the_application_is_never_more_than_one_block_ahead_of_the_test(make: Make) -> None:
    source = CountingSource(itertools.repeat(b"x"))
    with stream_client(make(source)) as client, client.stream("GET", "/") as response:
        for number, _ in enumerate(itertools.islice(response.iter_raw(), 50), start=1):
            assert number <= source.steps <= number + 1


@either_protocol
def test_a_block_is_received_before_the_source_goes_on(make: Make) -> None:
    gate = Gate()

    def blocks() -> Iterator[bytes]:
        for number in range(3):
            yield str(number).encode()
            gate.wait()

    received: list[bytes] = []
    with stream_client(make(blocks())) as client, client.stream("GET", "/") as response:
        for chunk in response.iter_raw():
            received.append(chunk)
            gate.open()
    assert received == [b"0", b"1", b"2"]


@either_protocol
def test_closing_the_response_is_done_when_the_source_is_closed(make: Make) -> None:
    source = CountingSource(itertools.repeat(b"x"))
    with stream_client(make(source)) as client, client.stream("GET", "/") as response:
        blocks = response.iter_raw()  # kept, for httpx2 closes the response when it is dropped
        assert next(blocks) == b"x"
        assert source.closes == 0
        response.close()
        assert source.closes == 1
    assert source.closes == 1


@either_protocol
def test_closing_the_client_leaves_the_responses_that_are_open(make: Make) -> None:
    source = CountingSource(itertools.repeat(b"x"))
    with stream_client(make(source)) as client:
        client.send(client.build_request("GET", "/"), stream=True)
        assert source.closes == 0
    assert source.closes == 1


def test_a_wsgi_iterable_is_iterated_and_closed_in_one_thread_that_is_not_the_tests() -> None:
    source = CountingSource([b"a", b"b"])
    with stream_client(wsgi_app(source)) as client, client.stream("GET", "/") as response:
        assert next(response.iter_raw()) == b"a"
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads


@either_protocol
def test_an_error_before_the_start_is_raised_or_a_500(make: Make) -> None:
    app = make(CountingSource([LookupError("too early")]))
    with stream_client(app) as client, pytest.raises(LookupError, match="too early"):
        client.get("/")
    with stream_client(make(CountingSource([LookupError("too early")])), raise_app_exceptions=False) as client:
        response = client.get("/")
    assert (response.status_code, response.text) == (500, "Internal Server Error")


@either_protocol
@pytest.mark.parametrize(("raises", "expected"), [(True, LookupError), (False, httpx2.RemoteProtocolError)])
def test_an_error_after_the_start_is_raised_or_a_broken_connection_after_what_was_sent(
    make: Make, raises: bool, expected: type[Exception]
) -> None:
    received: list[bytes] = []
    app = make(CountingSource([b"a", b"b", LookupError("late")]))
    with (
        stream_client(app, raise_app_exceptions=raises) as client,
        client.stream("GET", "/") as response,
        pytest.raises(expected),
    ):
        received.extend(response.iter_raw())
    assert (response.status_code, received) == (200, [b"a", b"b"])


@either_protocol
def test_a_silent_application_is_a_read_timeout_of_the_request(make: Make) -> None:
    gate = Gate()

    def blocks() -> Iterator[bytes]:
        yield b"a"
        gate.wait()

    with stream_client(make(blocks()), close_timeout=None) as client:
        with client.stream("GET", "/", timeout=httpx2.Timeout(BOUND, read=0.05)) as response:
            chunks = response.iter_raw()
            assert next(chunks) == b"a"
            with pytest.raises(httpx2.ReadTimeout, match=r"nothing came within 0\.05 s"):
                next(chunks)
        gate.open()


@either_protocol
def test_an_application_that_does_not_start_is_a_read_timeout_of_the_request(make: Make) -> None:
    gate = Gate()

    def blocks() -> Iterator[bytes]:
        gate.wait()
        yield b"a"

    with stream_client(make(blocks()), close_timeout=None) as client:
        with pytest.raises(httpx2.ReadTimeout):
            client.get("/", timeout=0.05)
        gate.open()


@either_protocol
def test_an_application_that_goes_on_after_the_client_left_fails_the_test_and_is_named(make: Make) -> None:
    waits, gate = threading.Event(), Gate()

    def stubborn() -> Iterator[bytes]:
        yield b"a"
        waits.set()
        gate.wait()

    said = r"GET /: the application was still running 0\.05 s after the client left\. It is here:\n  File "
    with stream_client(make(stubborn()), close_timeout=0.05) as client:
        with pytest.raises(AssertionError, match=said), client.stream("GET", "/") as response:
            next_chunk(response)
            waits.wait(BOUND)
        gate.open()


@either_protocol
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_without_a_body_has_none_even_if_the_source_is_endless(make: Make, method: str, status: int) -> None:
    source = CountingSource(itertools.repeat(b"x"))
    with stream_client(make(source, status)) as client:
        response = client.request(method, "/")
    assert (response.status_code, response.content, source.closes) == (status, b"", 1)


@either_protocol
def test_headers_may_be_repeated_and_cookies_come_back(make: Make) -> None:
    headers = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-name", "value")]
    with stream_client(make([b"body"], headers=headers)) as client:
        response = client.get("/")
        assert dict(client.cookies) == {"a": "1", "b": "2"}
        assert client.get("/").request.headers["cookie"] == "a=1; b=2"
    assert (response.content, response.headers["x-name"]) == (b"body", "value")


@either_protocol
def test_httpx2_reads_events_through_each_transport(make: Make) -> None:
    blocks = [b"data: a\n\n", b"data: ", b"b\n\n"]
    app = make(blocks, headers=[("content-type", "text/event-stream")])
    with stream_client(app) as client, client.stream("GET", "/") as response:
        assert [event.data for event in httpx2.EventSource(response)] == ["a", "b"]


@either_protocol
def test_empty_blocks_are_not_chunks(make: Make) -> None:
    with stream_client(make([b"", b"a", b"", b"b", b""])) as client, client.stream("GET", "/") as response:
        assert list(response.iter_raw()) == [b"a", b"b"]


def test_the_parts_of_a_wsgi_requests_body_are_read_as_the_client_makes_them() -> None:
    made = Gate()

    def parts() -> Iterator[bytes]:
        for part in (b"one\n", b"two\n"):
            yield part
            made.wait()

    def echo(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from iter(environ["wsgi.input"].readline, b"")

    received: list[bytes] = []
    with stream_client(echo) as client, client.stream("POST", "/", content=parts()) as response:
        for chunk in response.iter_raw():
            received.append(chunk)
            made.open()
    assert received == [b"one\n", b"two\n"]


def test_the_environ_is_the_requests_and_pep_3333s() -> None:
    seen: Environ = {}

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["wsgi.input"].read(5)]

    transport = WSGIStreamTransport(validator(app), root_path="/mounted", client=("10.0.0.1", 7))
    with httpx2.Client(transport=transport, base_url="https://host.example") as client:
        response = client.post("/p%C3%A4th%20?a=1&b=2", content=b"hello", headers={"X-Name": "value"})
    assert response.text == "hello"
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/mounted",
        "PATH_INFO": "/päth ".encode().decode("latin-1"),
        "QUERY_STRING": "a=1&b=2",
        "SERVER_NAME": "host.example",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "CONTENT_LENGTH": "5",
        "HTTP_X_NAME": "value",
        "REMOTE_ADDR": "10.0.0.1",
    }
    assert {name: seen[name] for name in expected} == expected


def test_a_wsgi_application_may_write() -> None:
    def app(_: Environ, start_response: StartResponse) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"written ")
        return [b"returned"]

    with stream_client(app) as client:
        assert client.get("/").content == b"written returned"


def test_a_wsgi_application_may_replace_its_headers_until_the_first_block() -> None:
    def app(_: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b""
        start_response("418 I'm a teapot", [], (LookupError, LookupError(), None))  # type: ignore[arg-type]  # no traceback
        yield b"body"

    with stream_client(app) as client:
        assert client.get("/").status_code == 418


@pytest.mark.parametrize(
    ("statuses", "block", "error", "match"),
    [
        ([], b"block", RuntimeError, "did not call start_response"),
        (["200 OK"], "block", TypeError, "expected blocks of bytes, got str"),
        (["200 OK", "200 OK"], b"block", RuntimeError, "a second time without exc_info"),
    ],
)
def test_protocol_error_of_a_wsgi_application_raises(
    statuses: list[str], block: object, error: type[Exception], match: str
) -> None:
    def app(_: Environ, start_response: StartResponse) -> list[object]:
        for status in statuses:
            start_response(status, [])
        return [block]

    with stream_client(app) as client, pytest.raises(error, match=match):  # type: ignore[arg-type]  # it breaks the protocol
        client.get("/")
