"""Context variables: those that middleware and views set are seen by the source, and the source's own survive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import anyio.lowlevel
import pytest
from fastapi import FastAPI, Response
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.routing import Route

from stream_adapter.types import ASGIApp, Receive, Scope, Send
from stream_adapter_fastapi import Stream, StreamAdapter, streaming
from tests.fastapi.support import strict_client_of

by_middleware = ContextVar("by_middleware", default="unset")
by_view = ContextVar("by_view", default="unset")
by_source = ContextVar("by_source", default="unset")


def pure_middleware(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        by_middleware.set("set")
        await app(scope, receive, send)

    return middleware


async def base_middleware(request: Request, call_next: RequestResponseEndpoint) -> Response:
    by_middleware.set("set")
    return await call_next(request)


def source() -> Iterator[str]:
    yield f"{by_middleware.get()} {by_view.get()} "
    by_source.set("kept")
    yield by_source.get()


async def asource() -> AsyncIterator[str]:
    yield f"{by_middleware.get()} {by_view.get()} "
    by_source.set("kept")
    await anyio.lowlevel.checkpoint()  # it must find the loop, although a thread's context may deny one
    yield by_source.get()


SOURCES = {"sync source": source, "async source": asource}


@streaming
def decorated(kind: str) -> Any:
    by_view.set("set")
    return SOURCES[kind]()


@streaming
async def adecorated(kind: str) -> Any:
    by_view.set("set")
    return SOURCES[kind]()


def returned(kind: str) -> Any:
    by_view.set("set")
    return SOURCES[kind]()


async def areturned(kind: str) -> Any:
    by_view.set("set")
    return SOURCES[kind]()


def with_stream(kind: str, stream: Stream) -> Response:
    by_view.set("set")
    return stream(SOURCES[kind]())


async def awith_stream(kind: str, stream: Stream) -> Response:
    by_view.set("set")
    return stream(SOURCES[kind]())


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("middleware", ["pure", "BaseHTTPMiddleware"])
@pytest.mark.parametrize("view", [decorated, adecorated, returned, areturned, with_stream, awith_stream])
def test_source_of_a_fastapi_view_sees_variables_of_middleware_and_view(kind: str, middleware: str, view: Any) -> None:
    app = FastAPI()
    StreamAdapter(app)
    app.get("/", response_model=None)(view)
    if middleware == "pure":
        app.add_middleware(pure_middleware)
    else:
        app.add_middleware(BaseHTTPMiddleware, dispatch=base_middleware)

    assert strict_client_of(app).get("/", params={"kind": kind}).text == "set set kept"


@pytest.mark.parametrize("kind", SOURCES)
def test_source_of_a_starlette_view_sees_variables_of_middleware_and_view(kind: str) -> None:
    def view(_: Request) -> Any:
        return returned(kind)

    app = Starlette(routes=[Route("/", view)])
    StreamAdapter(app)
    app.add_middleware(pure_middleware)

    assert strict_client_of(app).get("/").text == "set set kept"
