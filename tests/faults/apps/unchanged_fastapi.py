"""FastAPI, with Starlette's StreamingResponse."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from .mending import either_asgi, source

_app = FastAPI()


@_app.get("/stream/{name}/{way}/{options}")
async def stream(name: str, way: str, options: str) -> StreamingResponse:
    body: Any = source(name, way)
    return StreamingResponse(body)


@_app.get("/hello")
async def hello() -> str:
    return "hello"


app = either_asgi(_app)
