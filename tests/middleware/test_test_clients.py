"""The ASGI middleware under the test clients of the frameworks, whose scopes leave out what a server's have."""

from __future__ import annotations

import asyncio
import importlib
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import httpx2
import pytest
from asgiref.testing import ApplicationCommunicator
from fastapi import FastAPI
from fastapi.responses import StreamingResponse as FastAPIStream
from fastapi.testclient import TestClient as FastAPIClient
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter.testing import ASGIStreamTransport
from stream_adapter.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.gate import BOUND
from tests.support.interfaces import call_wsgi

ROWS = "0\n1\n2\n"


async def rows() -> AsyncIterator[str]:
    for number in range(3):
        yield f"{number}\n"
        await asyncio.sleep(0)


async def home(_: Request) -> Response:
    return PlainTextResponse("home")


async def stream(_: Request) -> Response:
    return StreamingResponse(rows())


async def size(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def failing(_: Request) -> Response:
    async def chunks() -> AsyncIterator[str]:
        yield "a"
        raise LookupError("mine")

    return StreamingResponse(chunks())


def starlette_app() -> Starlette:
    app = Starlette(
        routes=[
            Route("/", home),
            Route("/rows", stream, methods=["GET", "POST"]),
            Route("/size", size, methods=["POST"]),
            Route("/failing", failing),
        ]
    )
    app.add_middleware(StreamAdapterMiddleware)
    return app


def with_httpx2(_: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("httpx2")
    return importlib.import_module("starlette.testclient")


def with_httpx(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import Starlette's client again, as it is without httpx2."""
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "starlette.testclient", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("starlette.testclient")


@pytest.mark.parametrize("load", [with_httpx2, with_httpx])
def test_starlettes_client_is_answered(
    load: Callable[[pytest.MonkeyPatch], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    with load(monkeypatch).TestClient(starlette_app()) as client:
        assert client.get("/").text == "home"
        assert client.get("/rows").text == ROWS
        assert client.head("/rows").text == ""
        assert client.post("/size", content=bytes(200_000)).text == "200000"
        assert client.post("/rows", content=bytes(200_000)).text == ROWS
        with pytest.raises(LookupError, match="mine"):
            client.get("/failing")


def by_the_middleware(app: ASGIApp) -> None:
    FastAPIClient(StreamAdapterMiddleware(app, compress=True)).get("/")


def by_to_wsgi(app: ASGIApp) -> None:
    raise call_wsgi(sa.to_wsgi(app)).error or AssertionError("nothing was raised")


def by_to_wsgi_and_the_middleware(app: ASGIApp) -> None:
    raise call_wsgi(sa.to_wsgi(StreamAdapterMiddleware(app))).error or AssertionError("nothing was raised")


def by_the_testing_kit(app: ASGIApp) -> None:
    async def get() -> None:
        async with httpx2.AsyncClient(transport=ASGIStreamTransport(app), base_url="http://test") as client:
            await client.get("/")

    asyncio.run(get())


@pytest.mark.parametrize("way", [by_the_middleware, by_to_wsgi, by_to_wsgi_and_the_middleware, by_the_testing_kit])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_failure_inside_base_http_middleware_is_the_sources_own(layers: int, way: Callable[[ASGIApp], None]) -> None:
    async def fail(_: Request) -> sa.Response:
        async def chunks() -> AsyncIterator[str]:
            yield "a"
            raise LookupError("mine")

        return sa.Response(chunks())

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    app = Starlette(routes=[Route("/", fail)], middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)] * layers)

    with pytest.raises(LookupError, match="mine"):
        way(app)


def test_fastapis_client_is_answered() -> None:
    app = FastAPI()
    app.add_middleware(StreamAdapterMiddleware)

    @app.get("/rows")
    async def _stream() -> FastAPIStream:
        return FastAPIStream(rows())

    @app.get("/")
    async def _home() -> str:
        return "home"

    with FastAPIClient(app) as client:
        assert client.get("/").json() == "home"
        assert client.get("/rows").text == ROWS


def test_litestars_client_is_answered() -> None:
    litestar: Any = pytest.importorskip("litestar")
    Stream = importlib.import_module("litestar.response").Stream
    TestClient = importlib.import_module("litestar.testing").TestClient

    async def handler() -> Any:
        return Stream(rows())

    handler.__annotations__["return"] = Stream
    app = litestar.Litestar([litestar.get("/rows")(handler)], logging_config=None)
    with TestClient(StreamAdapterMiddleware(app)) as client:
        assert client.get("/rows").text == ROWS


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    assert (await receive())["type"] == "http.request"
    assert scope["asgi"]["spec_version"] >= "2.4"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"0\n", "more_body": True})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"1\n2\n"})


flask_app = Flask(__name__)
flask_app.add_url_rule("/", view_func=lambda: iter(["0\n", "1\n2\n"]))
APPS: dict[str, ASGIApp] = {
    "middleware": StreamAdapterMiddleware(answering),
    "compressing middleware": StreamAdapterMiddleware(answering, compress=True),
    "Response": sa.Response(iter(["0\n", "1\n2\n"])).asgi,
    "to_asgi": sa.to_asgi(flask_app),
    "to_asgi in the middleware": StreamAdapterMiddleware(sa.to_asgi(flask_app)),
}
BARE: Scope = {"type": "http", "method": "GET", "path": "/"}
SCOPES: dict[str, Scope] = {
    "what ASGI requires of it": BARE,
    "asgi without a spec_version": {**BARE, "asgi": {"version": "3.0"}},
    "nothing where there may be something": {
        **BARE, "asgi": None, "extensions": None, "client": None, "server": None, "headers": [], "query_string": b"",
    },
}  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("name", APPS)
def test_asgirefs_communicator_is_answered_on_a_bare_scope(name: str, scope: Scope) -> None:
    app = sa.Response(iter(["0\n", "1\n2\n"])).asgi if name == "Response" else APPS[name]  # its source is read once

    async def main() -> list[Message]:
        communicator: Any = ApplicationCommunicator(app, dict(scope))  # type: ignore[no-untyped-call]  # it has no types
        await communicator.send_input({"type": "http.request"})
        messages: list[Message] = [await communicator.receive_output(BOUND)]
        while messages[-1]["type"] == "http.response.start" or messages[-1].get("more_body"):
            messages.append(await communicator.receive_output(BOUND))
        await communicator.wait(BOUND)
        return messages

    start, *blocks = asyncio.run(main())
    assert start["status"] == 200
    assert b"".join(block.get("body", b"") for block in blocks).decode() == ROWS
