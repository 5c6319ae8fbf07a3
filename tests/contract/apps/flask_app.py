"""Flask."""

from __future__ import annotations

from flask import Flask

import stream_adapter as sa
from stream_adapter_flask import stream_response, streaming
from tests.contract import cases

app = Flask(__name__)


@app.before_request
def middleware() -> None:
    cases.set_by_middleware.set("middleware")


@app.get("/sync/<case>/<way>/<key>")
@streaming
def sync_view(case: str, way: str, key: str) -> sa.Response:
    return cases.make(case, way, key)


@app.get("/async/<case>/<way>/<key>")
@streaming
async def async_view(case: str, way: str, key: str) -> sa.Response:
    return cases.make(case, way, key)


@app.get("/unsent/sync/<how>/<way>/<key>")
def sync_unsent(how: str, way: str, key: str) -> str:
    stream_response(cases.make("gated", way, key))
    return cases.instead_of_stream(how)


@app.get("/unsent/async/<how>/<way>/<key>")
async def async_unsent(how: str, way: str, key: str) -> str:
    stream_response(cases.make("gated", way, key))
    return cases.instead_of_stream(how)


@app.get("/control/<action>/<key>")
def control(action: str, key: str) -> str:
    return cases.control(action, key)
