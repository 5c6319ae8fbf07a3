"""In Flask and FastAPI: Vary is everybody's, and Flask's unnamed text is HTML, as that of its own generators is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import flask
import pytest
from fastapi import FastAPI, Response

import stream_adapter_fastapi
import stream_adapter_flask
from tests.fastapi.support import strict_client_of


def rows(*_: object) -> Iterator[object]:
    yield {"a": 1}


def flask_vary_of_a_session() -> str:
    app = flask.Flask(__name__)
    app.secret_key = "a test's"

    @app.get("/")
    @stream_adapter_flask.streaming
    def view() -> Iterator[object]:
        flask.session["seen"] = True
        return rows()

    return app.test_client().get("/").headers["Vary"]


def flask_vary_of_after_request() -> str:
    app = flask.Flask(__name__)

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        response.vary.add("Cookie")
        return response

    app.get("/")(stream_adapter_flask.streaming(rows))
    return app.test_client().get("/").headers["Vary"]


def flask_vary_of_a_response_that_starts_late() -> str:
    app = flask.Flask(__name__)

    @app.get("/")
    def view() -> flask.Response:
        response = stream_adapter_flask.stream_response(rows())
        response.vary.add("Cookie")
        return response

    return app.test_client().get("/").headers["Vary"]


def fastapi_vary() -> str:
    app = FastAPI()

    @app.get("/")
    @stream_adapter_fastapi.streaming
    def view(response: Response) -> Iterator[object]:
        response.headers["Vary"] = "Cookie"
        return rows()

    return strict_client_of(app).get("/").headers["vary"]


VARY: dict[str, Callable[[], str]] = {
    "Flask, session": flask_vary_of_a_session,
    "Flask, after_request": flask_vary_of_after_request,
    "Flask, a response that starts late": flask_vary_of_a_response_that_starts_late,
    "FastAPI, set by the view": fastapi_vary,
}


@pytest.mark.parametrize("vary_of", VARY.values(), ids=VARY)
def test_vary_names_accept_and_the_fields_of_the_framework(vary_of: Callable[[], str]) -> None:
    assert sorted(field.strip() for field in vary_of().split(",")) == ["Accept", "Cookie"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json", "text/html; charset=utf-8"),
        ("text/event-stream", "text/event-stream"),
    ],
)
def test_text_in_flask_is_html_or_the_data_of_events(accept: str, content_type: str) -> None:
    app = flask.Flask(__name__)
    app.get("/")(stream_adapter_flask.streaming(lambda: iter("a")))
    response = app.test_client().get("/", headers={"Accept": accept})
    assert response.headers["Content-Type"] == content_type
    assert response.headers["Vary"] == "Accept"
