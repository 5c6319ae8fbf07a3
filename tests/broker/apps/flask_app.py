from __future__ import annotations

from flask import Flask
from flask import Response as FlaskResponse

from stream_adapter_flask import stream_response
from tests.broker.apps import control, events

app = Flask(__name__)


@app.get("/events/<form>")
def get_events(form: str) -> FlaskResponse:
    return stream_response(events(form))


@app.get("/control/<action>")
def get_control(action: str) -> str:
    return control(action)
