"""Flask, under ASGI by `to_asgi`."""

from __future__ import annotations

from flask import Flask

import stream_adapter as sa
from stream_adapter_flask import streaming

from . import sources
from .lifespan import with_lifespan

flask_app = Flask(__name__)


@flask_app.get("/stream/<name>/<way>/<options>")
@streaming
def stream(name: str, way: str, options: str) -> sa.Response:
    return sources.make(name, way, options)


@flask_app.get("/hello")
def hello() -> str:
    return "hello"


app = with_lifespan(sa.to_asgi(flask_app))
