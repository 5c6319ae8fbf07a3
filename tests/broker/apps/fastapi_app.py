from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.responses import Response

from stream_adapter_fastapi import stream_response
from tests.broker.apps import control, events

app = FastAPI()


@app.api_route("/events/{form}", methods=["GET", "HEAD"])
async def get_events(form: str) -> Response:
    return stream_response(events(form))


@app.get("/control/{action}", response_class=PlainTextResponse)
def get_control(action: str) -> str:
    return control(action)
