"""The four generators in Flask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from flask import Flask

from stream_adapter import ServerSentEvent
from stream_adapter_flask import streaming

from . import sources

app = Flask(__name__, static_folder=None)


@app.get("/text")
@streaming(media_type="text/plain")
def text() -> AsyncIterator[str]:
    """Stream text, word by word."""
    return sources.words()


@app.get("/events")
@streaming
def events() -> AsyncIterator[ServerSentEvent]:
    """Stream server-sent events, for an EventSource."""
    return sources.ticks()


@app.get("/csv")
@streaming(media_type="text/csv", headers={"X-Total-Rows": str(sources.ROWS)})
def csv() -> Iterator[str]:
    """Stream a table, row by row, and say beforehand how many there are."""
    return sources.rows()


@app.get("/download")
@streaming(headers={"Content-Disposition": "attachment; filename=stream.bin", "Content-Length": str(sources.SIZE)})
def download() -> Iterator[bytes]:
    """Stream a file; with its length, a browser shows how far it is."""
    return sources.blocks()
