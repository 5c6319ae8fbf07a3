"""Vary is everybody's: what the view, a decorator and the stream have looked at is all in it."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.vary import vary_on_cookie

from stream_adapter_django import stream_response, streaming
from tests.django.support import Interface, both_interfaces


def rows(_: HttpRequest) -> Iterator[object]:
    yield {"a": 1}


@both_interfaces
def test_vary_of_a_decorator_is_united_with_accept(interface: Interface) -> None:
    assert interface.get(vary_on_cookie(streaming(rows))).header("vary") == ["Cookie, Accept"]


@both_interfaces
def test_vary_of_the_view_is_united_with_accept(interface: Interface) -> None:
    def view(request: HttpRequest) -> HttpResponseBase:
        response = stream_response(rows(request))
        response.headers["Vary"] = "Cookie"
        return response

    assert interface.get(view).header("vary") == ["Cookie, Accept"]


@both_interfaces
def test_response_without_negotiation_has_no_vary(interface: Interface) -> None:
    def octets(_: HttpRequest) -> Iterator[bytes]:
        yield b"a"

    assert interface.get(streaming(octets)).header("vary") == []
