"""FastAPI."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import stream_adapter as sa
from stream_adapter_fastapi import streaming

from . import sources
from .reporter import reporter


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    reporter.on_loop()
    sa.drain_on_signal()
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/stream/{name}/{way}/{options}")
@streaming
async def stream(name: str, way: str, options: str) -> sa.Response:
    return sources.make(name, way, options)


@app.get("/hello")
def hello() -> str:
    return "hello"
