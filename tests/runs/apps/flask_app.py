from __future__ import annotations

from flask import Flask, request
from flask import Response as FlaskResponse

from stream_adapter_flask import stream_response
from tests.runs.apps import respond, run_of

app = Flask(__name__)


@app.get("/start/<key>")
async def start(key: str) -> str:
    return str((await run_of(key, request.args).astart()).id)


@app.get("/<path:_>")
def get(_: str) -> FlaskResponse:
    return stream_response(respond(request.path, request.args))
