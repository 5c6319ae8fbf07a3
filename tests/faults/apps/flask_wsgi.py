"""Flask."""

from __future__ import annotations

from flask import Flask

import stream_adapter as sa
from stream_adapter_flask import streaming

from . import sources

sa.drain_on_signal()
app = Flask(__name__)


@app.get("/stream/<name>/<way>/<options>")
@streaming
def stream(name: str, way: str, options: str) -> sa.Response:
    return sources.make(name, way, options)


@app.get("/hello")
def hello() -> str:
    return "hello"
