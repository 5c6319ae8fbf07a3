"""FastAPI."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

import stream_adapter as sa
from stream_adapter.types import ASGIApp, Receive, Scope, Send
from stream_adapter_fastapi import stream_response, streaming
from tests.contract import cases


class Middleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cases.set_by_middleware.set("middleware")
        await self._app(scope, receive, send)


app = FastAPI()
app.add_middleware(Middleware)


@app.api_route("/sync/{case}/{way}/{key}", methods=["GET", "HEAD"])
@streaming
def sync_view(case: str, way: str, key: str) -> sa.Response:
    return cases.make(case, way, key)


@app.api_route("/async/{case}/{way}/{key}", methods=["GET", "HEAD"])
@streaming
async def async_view(case: str, way: str, key: str) -> sa.Response:
    return cases.make(case, way, key)


@app.get("/unsent/sync/{how}/{way}/{key}")
def sync_unsent(how: str, way: str, key: str) -> str:
    stream_response(cases.make("gated", way, key))
    return cases.instead_of_stream(how)


@app.get("/unsent/async/{how}/{way}/{key}")
async def async_unsent(how: str, way: str, key: str) -> str:
    stream_response(cases.make("gated", way, key))
    return cases.instead_of_stream(how)


@app.get("/control/{action}/{key}")
async def control(action: str, key: str) -> str:
    return await asyncio.to_thread(cases.control, action, key)
