"""A status without a body has none, whatever file is behind it, and whenever it was set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from wsgiref.util import FileWrapper

import pytest
from flask import Flask
from flask import Response as FlaskResponse
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Request

import stream_adapter as sa
from stream_adapter.types import WSGIApp
from stream_adapter_flask import stream_response
from tests.support.interfaces import Call, either_interface

SIZES = {"one block": 1000, "left to the server": 1 << 20}


@pytest.fixture(params=SIZES.values(), ids=list(SIZES))
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * request.param)
    return path


def given(path: Path, status: int) -> sa.Response:
    return sa.file(path, status_code=status)


def set_later(path: Path, status: int) -> sa.Response:
    response = sa.file(path)
    response.status_code = status
    return response


@either_interface
@pytest.mark.parametrize("make", [given, set_later])
@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_sends_none_of_the_file(
    call: Call, path: Path, make: Callable[[Path, int], sa.Response], status: int
) -> None:
    answer = call(make(path, status))
    assert (answer.status, answer.body, answer.complete) == (status, b"", True)
    assert answer.header("Content-Length") == answer.header("Content-Type") == []


def sent(app: WSGIApp) -> tuple[int, bytes]:
    """Ask as a server does that sends files by itself."""
    environ = {**Request.from_values().environ, "wsgi.file_wrapper": FileWrapper}
    blocks, status, _ = run_wsgi_app(app, environ)
    body = b"".join(blocks)
    getattr(blocks, "close", lambda: None)()
    return int(status[:3]), body


@pytest.mark.parametrize("status", [200, 204, 304])
def test_flask_leaves_no_file_to_the_server_for_a_status_without_a_body(path: Path, status: int) -> None:
    app = Flask(__name__)

    @app.get("/")
    def view() -> FlaskResponse:
        response = stream_response(sa.file(path))
        response.status_code = status
        return response

    assert sent(app) == (status, path.read_bytes() if status == 200 else b"")
