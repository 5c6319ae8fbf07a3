"""Flask, with its own streamed Response."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response

from .mending import either_wsgi, source

_app = Flask(__name__)


@_app.get("/stream/<name>/<way>/<options>")
def stream(name: str, way: str, options: str) -> Response:
    body: Any = source(name, way)
    return Response(body)


@_app.get("/hello")
def hello() -> str:
    return "hello"


app = either_wsgi(_app)
