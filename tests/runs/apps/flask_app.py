from __future__ import annotations

from flask import Flask, request
from flask import Response as FlaskResponse

from stream_adapter_flask import stream_response
from tests.runs.apps import respond

app = Flask(__name__)


@app.get("/<path:_>")
def get(_: str) -> FlaskResponse:
    return stream_response(respond(request.path, request.args))
