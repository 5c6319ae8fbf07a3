"""The streams in Flask, under WSGI."""

from __future__ import annotations

from flask import Flask, Response

import stream_adapter as sa
from stream_adapter.wsgi import StreamAdapterMiddleware
from stream_adapter_flask import last_event_id, streaming
from tests.browser.apps import streams

app = Flask(__name__)
compressed = StreamAdapterMiddleware(app, compress=True)


@app.get("/")
def page() -> str:
    return streams.PAGE


@app.get("/stream/<kind>/<way>/<key>")
@streaming
def stream(kind: str, way: str, key: str) -> sa.Response:
    return streams.stream(kind, way, key, last_event_id())


@app.get("/unadapted/<key>")
def unadapted(key: str) -> Response:
    return Response(streams.events("sync", key), mimetype="text/event-stream")


@app.get("/file/<name>")
@streaming
def file(name: str) -> sa.Response:
    return streams.file(name)


@app.post("/tell/<key>/<command>")
def tell(key: str, command: str) -> str:
    streams.tell(key, command)
    return ""


@app.get("/asked/<key>")
def asked(key: str) -> list[str | None]:
    return streams.asked(key)


@app.get("/closed/<key>")
def closed(key: str) -> str:
    return streams.wait_closed(key)
