"""What a decorated view returns as one body is the app's own response, with the options of the stream."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from flask import Flask

import stream_adapter as sa
from stream_adapter_flask import StreamResponse, streaming


class Branded(flask.Response):
    """A response class of the app's own."""


def test_whole_body_is_the_apps_own_response_which_after_request_may_read_and_replace(app: Flask) -> None:
    seen: list[Any] = []
    app.response_class = Branded

    @app.after_request
    def tag(response: flask.Response) -> flask.Response:
        seen.append(type(response))
        response.add_etag()
        response.set_data(response.get_data() + b"!")
        return response

    app.get("/")(streaming(status_code=202, headers={"X-Own": "yes"})(lambda: "text"))
    answer = app.test_client().get("/")
    assert seen == [Branded]
    assert (answer.status_code, answer.data, answer.content_length) == (202, b"text!", 5)
    assert (answer.headers["X-Own"], answer.mimetype) == ("yes", "text/html")
    assert answer.get_etag()[0]


def test_mapping_is_a_json_document_and_head_has_its_length(app: Flask) -> None:
    app.get("/")(streaming(lambda: {"a": 1}))
    client = app.test_client()
    assert (client.get("/").data, client.get("/").mimetype) == (b'{"a":1}', "application/json")
    head = client.head("/")
    assert (head.data, head.headers["Content-Length"]) == (b"", "7")


def test_response_without_content_has_no_content_type(app: Flask) -> None:
    app.get("/")(streaming(status_code=204)(lambda: b""))
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.data) == (204, b"")
    assert not {"Content-Type", "Content-Length"} & set(answer.headers.keys())


@pytest.mark.parametrize("value", ["a\x00b", "a\x7fb", "\u20ac"])
def test_header_that_may_not_be_sent_is_an_error_of_the_view(app: Flask, value: str) -> None:
    def view() -> sa.Response:
        response = sa.Response("text")
        response.headers["X-Bad"] = value
        return response

    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.get("/")(streaming(view))
    assert app.test_client().get("/").status_code == 500


def test_large_body_is_a_stream_whose_client_is_watched(app: Flask) -> None:
    seen: list[flask.Response] = []

    @app.after_request
    def look(response: flask.Response) -> flask.Response:
        seen.append(response)
        return response

    app.get("/")(streaming(lambda: b"x" * 65537))
    assert len(app.test_client().get("/").data) == 65537
    assert isinstance(seen[0], StreamResponse)
