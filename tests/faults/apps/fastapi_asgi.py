"""FastAPI."""

from __future__ import annotations

from fastapi import FastAPI

import stream_adapter as sa
from stream_adapter_fastapi import streaming

from . import sources
from .reporter import reporter

app = FastAPI()


@app.get("/stream/{name}/{way}/{options}")
@streaming
async def stream(name: str, way: str, options: str) -> sa.Response:
    reporter.on_loop()
    return sources.make(name, way, options)


@app.get("/hello")
def hello() -> str:
    return "hello"


sa.drain_on_signal()
