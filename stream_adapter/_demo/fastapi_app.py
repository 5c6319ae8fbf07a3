"""The four generators in FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from fastapi import FastAPI

from stream_adapter import ServerSentEvent
from stream_adapter_fastapi import streaming

from . import sources

app = FastAPI()


@app.get("/text")
@streaming(media_type="text/plain")
async def text() -> AsyncIterator[str]:
    """Stream text, word by word."""
    return sources.words()


@app.get("/events")
@streaming
async def events() -> AsyncIterator[ServerSentEvent]:
    """Stream server-sent events, for an EventSource."""
    return sources.ticks()


@app.get("/csv")
@streaming(media_type="text/csv", headers={"X-Total-Rows": str(sources.ROWS)})
async def csv() -> Iterator[str]:
    """Stream a table, row by row, and say beforehand how many there are."""
    return sources.rows()


@app.get("/download")
@streaming(headers={"Content-Disposition": "attachment; filename=stream.bin", "Content-Length": str(sources.SIZE)})
async def download() -> Iterator[bytes]:
    """Stream a file; with its length, a browser shows how far it is."""
    return sources.blocks()
