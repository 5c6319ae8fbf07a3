"""In Flask, whose error handler answers what is not found."""

from __future__ import annotations

from flask import Flask
from werkzeug.exceptions import NotFound

import stream_adapter as sa
from stream_adapter_flask import StreamAdapter
from tests.files.apps.plain import respond

app = Flask(__name__)
StreamAdapter(app)


@app.errorhandler(404)
def not_found(_: NotFound) -> tuple[str, int]:
    return "the framework's own", 404


@app.get("/<path:name>")
def send(name: str) -> sa.Response:
    return respond(name)
