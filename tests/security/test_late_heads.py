"""What a framework's own code sets on a response is checked before it is sent, as what is given to a Response is."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from fastapi import FastAPI

import stream_adapter as sa
import stream_adapter_django
import stream_adapter_fastapi
import stream_adapter_flask
from tests.django.support import Interface
from tests.support.interfaces import Answer, call_asgi, call_wsgi

Change = Callable[[Any], None]


def put(name: str, value: str) -> Change:
    def change(response: Any) -> None:
        response.headers[name] = value

    return change


def put_status(status: int) -> Change:
    def change(response: Any) -> None:
        response.status_code = status

    return change


def put_status_without_content(status: int) -> Change:
    def change(response: Any) -> None:
        response.status_code = status
        del response.headers["Content-Type"]  # wsgiref's validator wants it so; frameworks leave it

    return change


def rows(*_: object) -> Iterator[bytes]:
    yield b"abc"


def by_flask(change: Change, view: Callable[..., Any] = rows) -> Answer:
    app = flask.Flask("late")

    @app.after_request
    def late(response: flask.Response) -> flask.Response:
        if isinstance(response, stream_adapter_flask.StreamResponse):
            change(response)
        return response

    app.add_url_rule("/", view_func=lambda: stream_adapter_flask.stream_response(view()))
    return call_wsgi(app.wsgi_app)


def by_fastapi(change: Change, view: Callable[..., Any] = rows) -> Answer:
    app = FastAPI()

    @app.get("/")
    def answer() -> Any:
        response = stream_adapter_fastapi.stream_response(view())
        change(response)
        return response

    return call_asgi(app)


def by_django(protocol: str) -> Callable[..., Answer]:
    def ask(change: Change, view: Callable[..., Any] = rows) -> Answer:
        def answer(request: Any) -> Any:
            response = stream_adapter_django.stream_response(view())
            response.add_post_render_callback(change)
            return response

        return Interface(protocol).get(answer)

    return ask


FRAMEWORKS: dict[str, Callable[..., Answer]] = {
    "Flask": by_flask,
    "FastAPI": by_fastapi,
    "Django under WSGI": by_django("wsgi"),
    "Django under ASGI": by_django("asgi"),
}
each_framework = pytest.mark.parametrize("ask", FRAMEWORKS.values(), ids=FRAMEWORKS)
CHANGES: dict[str, Change] = {
    "a value with NUL": put("X-A", "a\0b"),
    "a value with ESC": put("X-A", "a\x1bb"),
    "a name with a space": put("X A", "b"),
    "a length that is not a number": put("Content-Length", "3 4"),
    "an interim status": put_status(103),
}


@each_framework
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_bad_head_is_an_internal_error_before_any_byte(change: Change, ask: Callable[..., Answer]) -> None:
    answer = ask(change)
    assert answer.status in {None, 500}
    assert b"abc" not in answer.body
    assert answer.header("x-a") == answer.header("x a") == []


@each_framework
def test_stream_is_held_to_a_length_that_is_set_late(ask: Callable[..., Answer]) -> None:
    assert ask(put("Content-Length", "3")).body == b"abc"
    shorter = ask(put("Content-Length", "4"))
    assert (shorter.complete, type(shorter.error).__name__) == (False, "ContentLengthError")


WHOLE: dict[str, Callable[[Path], sa.Response]] = {
    "text": lambda _: sa.text("abc"),
    "a large body": lambda _: sa.Response(b"abc" * 100_000),
    "a file": sa.file,
    "an open file": lambda path: sa.file(io.BytesIO(path.read_bytes()), filename="a.txt"),
}


@each_framework
@pytest.mark.parametrize("length", ["0", "2", "4"])
@pytest.mark.parametrize("make", WHOLE.values(), ids=WHOLE)
def test_body_that_is_known_is_held_to_a_length_that_is_set_late(
    make: Callable[[Path], sa.Response], length: str, ask: Callable[..., Answer], tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")

    answer = ask(put("Content-Length", length), lambda: make(path))

    if answer.status == 200:  # of a file its own length is sent
        assert (answer.complete, answer.header("content-length")) == (True, [str(len(answer.body))])
    else:
        assert answer.status in {None, 500}
        assert b"abc" not in answer.body


@each_framework
@pytest.mark.parametrize("status", [204, 304])
def test_stream_whose_late_status_has_no_content_sends_none(ask: Callable[..., Answer], status: int) -> None:
    answer = ask(put_status_without_content(status))
    assert (answer.status, answer.body, answer.complete) == (status, b"", True)


@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
@pytest.mark.parametrize("status", [204, 304])
def test_file_whose_late_status_has_no_content_sends_none_in_django(protocol: str, status: int, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")

    def view(request: Any) -> Any:
        response = stream_adapter_django.stream_response(sa.file(path))
        response.add_post_render_callback(put_status_without_content(status))
        return response

    answer = Interface(protocol).get(view)

    assert (answer.status, answer.body, answer.header("content-length")) == (status, b"", [])
