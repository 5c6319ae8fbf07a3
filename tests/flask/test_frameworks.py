"""Frameworks inside Flask: Flask-RESTful and Flask-RESTX make the response of what a resource's method returns."""

from __future__ import annotations

import importlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import Forbidden

import stream_adapter as sa
from stream_adapter_flask import StreamAdapter, last_event_id, stream_response, streaming


@pytest.fixture(params=["flask_restful", "flask_restx"])
def framework(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def served(app: Flask, framework: Any, method: Any) -> FlaskClient:
    """Return a client of an app whose one resource has the method as its `get`."""
    StreamAdapter(app)
    resource = type("Rows", (framework.Resource,), {"get": method})
    framework.Api(app).add_resource(resource, "/rows")
    return app.test_client()


def rows() -> Iterator[dict[str, int]]:
    yield {"row": 0}
    yield {"row": 1}


async def async_rows() -> AsyncIterator[dict[str, int]]:
    for row in rows():
        yield row


def returned(_: object) -> object:
    return rows()


def returned_async(_: object) -> object:
    return async_rows()


def returned_response(_: object) -> object:
    return sa.ndjson(rows())


def responded(_: object) -> object:
    return stream_response(rows())


def responded_with_a_format(_: object) -> object:
    return stream_response(sa.ndjson(async_rows()))


METHODS: dict[str, Any] = {
    "a decorated method that returns a generator": streaming(returned),
    "a decorated method that returns an async generator": streaming(returned_async),
    "a decorated method that returns a Response": streaming(returned_response),
    "stream_response": responded,
    "stream_response of a format": responded_with_a_format,
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_resource_of_a_framework_inside_flask_streams_under_the_decorator(
    app: Flask, framework: Any, method: Any
) -> None:
    answer = served(app, framework, method).get("/rows")
    assert (answer.mimetype, answer.data) == ("application/x-ndjson", b'{"row":0}\n{"row":1}\n')


def test_an_abort_before_the_first_item_is_answered_by_the_framework(app: Flask, framework: Any) -> None:
    @streaming
    def get(self: Any) -> Iterator[str]:
        framework.abort(429, message="slow down")
        yield "never"

    answer = served(app, framework, get).get("/rows")
    assert (answer.status_code, answer.json) == (429, {"message": "slow down"})


def test_an_exception_of_werkzeug_before_the_first_item_is_json_of_the_framework(app: Flask, framework: Any) -> None:
    @streaming
    async def get(self: Any) -> AsyncIterator[str]:
        raise Forbidden("not yours")
        yield "never"

    answer = served(app, framework, get).get("/rows")
    assert (answer.status_code, answer.json) == (403, {"message": "not yours"})


def test_a_download_of_a_resource_answers_ranges_and_head(app: Flask, framework: Any, tmp_path: Any) -> None:
    path = tmp_path / "video.bin"
    path.write_bytes(b"0123456789")

    @streaming
    def get(self: Any) -> sa.Response:
        return sa.file(path)

    client = served(app, framework, get)
    part = client.get("/rows", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.data) == (206, b"234")
    assert client.head("/rows").headers["Content-Length"] == "10"


def test_an_event_source_resumes_and_is_not_answered_406(app: Flask, framework: Any) -> None:
    @streaming.sse()
    def get(self: Any) -> Iterator[str]:
        yield f"after {last_event_id()}"

    client = served(app, framework, get)
    answer = client.get("/rows", headers={"Accept": "text/event-stream", "Last-Event-ID": "7"})
    assert answer.status_code == 200
    assert b"data: after 7\n" in answer.data


@pytest.mark.parametrize("method", [returned, returned_async, returned_response])
def test_an_undecorated_stream_is_an_error_that_says_what_to_write(
    app: Flask, framework: Any, method: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert served(app, framework, method).get("/rows").status_code == 500
    assert "put @streaming on the method" in caplog.text
