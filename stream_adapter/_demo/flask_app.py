"""The demo's views in Flask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from flask import Flask, Response
from flask.typing import ResponseReturnValue

from stream_adapter import ServerSentEvent, sse
from stream_adapter_flask import stream_response, streaming

from . import broker, sources

app = Flask(__name__, static_folder=None)


@app.post("/answer")
def ask() -> ResponseReturnValue:
    """Start the answer."""
    return {"run": broker.ask()}


@app.get("/answer")
def follow() -> ResponseReturnValue:
    """Join it; 204 if there is nothing to send."""
    response = broker.follow()
    return stream_response(response) if response else ("", 204)


@app.post("/answer/<run>/stop")
def stop(run: str) -> ResponseReturnValue:
    """Stop it."""
    return {"stopped": broker.stop(run)}


@app.get("/failing")
@streaming.sse()
def failing() -> AsyncIterator[str]:
    """Stream an answer that fails."""
    return sources.failing()


@app.get("/leaving/<visit>")
@streaming.ndjson()
def leaving(visit: str) -> AsyncIterator[int]:
    """Stream numbers to a client that leaves."""
    return broker.leaving(visit)


@app.get("/news")
def news() -> Response:
    """Subscribe; a client that comes back goes on after its last event."""
    return stream_response(sse(broker.live.subscribe("news")))


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
@streaming(media_type="text/csv", headers=sources.TOTAL)
def csv() -> Iterator[str]:
    """Stream a table, row by row, and say beforehand how many there are."""
    return sources.rows()


@app.get("/download")
@streaming(headers=sources.ATTACHMENT)
def download() -> Iterator[bytes]:
    """Stream a file; with its length, a browser shows how far it is."""
    return sources.blocks()
