"""In Flask, whose error handler answers what is not found; and the same application under ASGI."""

from __future__ import annotations

import os

from flask import Flask, Response, send_file
from werkzeug.exceptions import NotFound

import stream_adapter as sa
from stream_adapter_flask import StreamAdapter
from tests.files.apps.plain import respond

app = Flask(__name__)
StreamAdapter(app)


@app.errorhandler(404)
def not_found(_: NotFound) -> tuple[str, int]:
    return "the framework's own", 404


@app.get("/own/<path:name>")
def send_by_flask(name: str) -> Response:
    return send_file(os.path.join(os.environ["FILES"], name))


@app.get("/<path:name>")
def send(name: str) -> sa.Response:
    return respond(name)


by_to_asgi = sa.to_asgi(app)
