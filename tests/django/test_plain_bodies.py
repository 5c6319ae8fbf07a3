"""What a decorated view returns as one body is Django's own response, with the options of the stream."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

import stream_adapter as sa
from stream_adapter_django import streaming
from tests.django.support import Interface, both_interfaces

CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"

seen: list[Any] = []


def text(request: HttpRequest) -> str:
    return "text"


def document(request: HttpRequest) -> dict[str, int]:
    return {"a": 1}


def look(get_response: Any) -> Any:
    """Middleware that reads the content of a response."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        seen.append((type(response), response.content))
        return response

    return middleware


@both_interfaces
def test_whole_body_is_djangos_own_response_which_middleware_may_read(interface: Interface) -> None:
    seen.clear()
    answer = interface.get(streaming(status_code=202, headers={"X-Own": "yes"})(text), middleware=[f"{__name__}.look"])
    assert seen == [(HttpResponse, b"text")]
    assert (answer.status, answer.body) == (202, b"text")
    assert answer.header("X-Own") == ["yes"]
    assert answer.header("Content-Length") == ["4"]
    assert answer.header("Content-Type") == ["text/plain; charset=utf-8"]


@both_interfaces
def test_whole_body_is_answered_304_to_a_client_that_has_it(interface: Interface) -> None:
    view = streaming(document)
    first = interface.get(view, middleware=[CONDITIONAL])
    assert (first.body, first.header("Content-Type")) == (b'{"a":1}', ["application/json"])
    (etag,) = first.header("ETag")
    assert interface.get(view, middleware=[CONDITIONAL], headers=[("If-None-Match", etag)]).status == 304


@both_interfaces
@pytest.mark.parametrize("value", ["a\x00b", "a\x7fb"])
def test_header_that_may_not_be_sent_is_an_error_of_the_view(interface: Interface, value: str) -> None:
    def view(request: HttpRequest) -> sa.Response:
        response = sa.Response("text")
        response.headers["X-Bad"] = value
        return response

    assert interface.get(streaming(view)).status == 500
