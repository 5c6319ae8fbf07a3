"""A failure inside the WSGI middleware is one record, which names the stream, or else the application."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import httpx2
import pytest

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware as ASGIMiddleware
from stream_adapter.testing import next_chunk, stream_client
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse
from stream_adapter.wsgi import StreamAdapterMiddleware


def failing() -> Iterator[bytes]:
    yield b"one,"
    raise LookupError("a secret")


@pytest.mark.parametrize("limits", [sa.Limits(), sa.Limits(idle_timeout=60)], ids=["own thread", "thread of the pool"])
def test_failure_of_a_response_inside_the_middleware_is_logged_once_each_time(
    limits: sa.Limits, caplog: pytest.LogCaptureFixture
) -> None:
    def inner(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return sa.Response(failing())(environ, start_response)

    def start(*_: object) -> None:
        pass

    app: Any = StreamAdapterMiddleware(inner, limits=limits)
    for _ in range(2):
        caplog.clear()
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/rows", "SERVER_PROTOCOL": "HTTP/1.1"}
        body = app(environ, start)
        with pytest.raises(LookupError, match="a secret"):
            list(body)
        body.close()
        (record,) = caplog.records
        assert record.getMessage().startswith("GET /rows (generator failing): failed after the response started")


def test_failure_of_an_application_is_logged_as_one_of_the_application_under_both_protocols(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return failing()

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"one,", "more_body": True})
        raise LookupError("a secret")

    for app in (StreamAdapterMiddleware(wsgi), ASGIMiddleware(asgi)):
        caplog.clear()
        with stream_client(app, raise_app_exceptions=False) as client, client.stream("GET", "/rows") as response:
            assert next_chunk(response) == b"one,"
            with pytest.raises(httpx2.RemoteProtocolError):
                next_chunk(response)
        (record,) = (record for record in caplog.records if record.name == "stream_adapter")
        assert record.getMessage().startswith("GET /rows (application): failed after the response started")
