"""Under trio there is one error that says what is missing, wherever a request comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from fastapi import FastAPI
from fastapi.testclient import TestClient

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.errors import UnsupportedError
from stream_adapter.types import ASGIApp, Message, Scope
from stream_adapter_fastapi import stream_response, streaming

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
NEEDED = "expected a running asyncio event loop, got none; trio is not supported"


async def arows() -> AsyncIterator[str]:
    yield "a"


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"a"]


APPLICATIONS: dict[str, Callable[[], ASGIApp]] = {
    "bytes": lambda: sa.Response(b"a").asgi,
    "sync": lambda: sa.Response(iter(["a"])).asgi,
    "async": lambda: sa.Response(arows()).asgi,
    "file": lambda: sa.file(Path(__file__)).asgi,
    "to_asgi": lambda: sa.to_asgi(wsgi),
    "middleware": lambda: StreamAdapterMiddleware(sa.to_asgi(wsgi)),
}


@pytest.mark.parametrize("make", APPLICATIONS.values(), ids=APPLICATIONS)
@pytest.mark.parametrize("type_", ["http", "lifespan"])
def test_trio_is_refused_by_one_error_that_names_asyncio(make: Callable[[], ASGIApp], type_: str) -> None:
    if (make, type_) == (APPLICATIONS["middleware"], "lifespan"):
        pytest.skip("the lifespan passes the middleware untouched")

    async def receive() -> Message:
        return {"type": f"{type_}.startup", "more_body": False}

    async def send(_: Message) -> None:
        raise AssertionError("nothing is to be sent")

    with pytest.raises(UnsupportedError, match=NEEDED) as raised:
        trio.run(make(), {**SCOPE, "type": type_}, receive, send)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_trio_is_refused_by_the_same_error_in_fastapi() -> None:
    app = FastAPI()
    app.get("/decorated")(streaming(arows))
    app.get("/returned")(lambda: stream_response(arows()))
    app.get("/file")(lambda: stream_response(sa.file(Path(__file__))))
    client = TestClient(app, backend="trio")
    for path in ("/decorated", "/returned", "/file"):
        with pytest.raises(UnsupportedError, match=NEEDED):
            client.get(path)


def test_trio_is_refused_by_the_normalizer_too() -> None:
    async def read() -> None:
        await anext(sa.aiter_bytes(arows()))

    with pytest.raises(UnsupportedError, match=NEEDED):
        trio.run(read)
