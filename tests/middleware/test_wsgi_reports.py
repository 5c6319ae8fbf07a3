"""A failure of a stream of this library inside the WSGI middleware is one record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import stream_adapter as sa
from stream_adapter.types import Environ, StartResponse
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
