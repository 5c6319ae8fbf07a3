"""What is adapted is the call of a view: all that looks a view up, or names it, has the view itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import get_resolver, path, resolve

import stream_adapter as sa
from stream_adapter_django import stream_response, streaming
from tests.django.support import ADAPTER, Interface, both_interfaces, exceptions, urlconf, view_of
from tests.support.interfaces import call_wsgi

seen: list[Any] = []


def rows(request: HttpRequest) -> Any:
    seen.append(request.resolver_match and request.resolver_match.func)
    yield "row"


class Instance:
    """A view that is an object, not a function."""

    def __call__(self, request: HttpRequest) -> None:
        return None


class Sees:
    """Middleware that looks at views."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        seen.append(view)


@both_interfaces
@pytest.mark.parametrize("order", [[f"{__name__}.Sees", ADAPTER], [ADAPTER, f"{__name__}.Sees"]], ids=["in", "out"])
def test_resolve_returns_the_view_itself_under_an_adapter(interface: Interface, order: list[str]) -> None:
    seen.clear()
    routes = [path("", rows)]
    for _ in range(2):
        assert interface.get(routes, middleware=order).body == b"row"
    assert seen == [rows] * 4
    with override_settings(ROOT_URLCONF=urlconf(routes), MIDDLEWARE=order):
        for _ in range(2):
            assert resolve("/").func is rows
            assert resolve("/")[0] is rows
            assert Client().get("/").resolver_match.func is rows
        assert "resolve" not in vars(get_resolver())


def test_djangos_errors_name_the_view_itself() -> None:
    for view, name in ((view_of(None), "view_of.<locals>.view"), (Instance(), "Instance.__call__")):
        with exceptions() as caught:
            assert Interface("wsgi").get(view, middleware=[ADAPTER]).status == 500
        named = name.rpartition(".")[2] if name.startswith("view") else name
        assert f"{view.__module__}.{named} didn't return an HttpResponse" in str(caught[0])


def test_the_adapter_does_not_outlive_its_setting() -> None:
    with override_settings(ROOT_URLCONF=urlconf([path("", rows)])):
        with override_settings(MIDDLEWARE=[ADAPTER]):
            adapted: Any = WSGIHandler()
            assert call_wsgi(adapted).body == b"row"
        with override_settings(MIDDLEWARE=[]):
            plain: Any = WSGIHandler()
        for _ in range(2):
            assert call_wsgi(adapted).body == b"row"
            assert call_wsgi(plain).error is not None or call_wsgi(plain).status == 500


def test_the_adapter_of_one_handler_leaves_the_requests_of_another_alone() -> None:
    def outer(request: HttpRequest) -> HttpResponse:
        refused.append(refuses(plain))
        return HttpResponse(adapted.get_response(RequestFactory().get("/rows")).getvalue())

    def refuses(handler: Any) -> bool:
        """Return True if Django does not take a generator for a response: before Python 3.12 by a 500 of its own."""
        try:
            return bool(handler.get_response(RequestFactory().get("/rows")).status_code == 500)
        except AttributeError:
            return True

    refused: list[bool] = []
    routes: list[Any] = [path("", outer), path("rows", rows)]
    with override_settings(ROOT_URLCONF=urlconf(routes)):
        with override_settings(MIDDLEWARE=[]):
            plain: Any = WSGIHandler()
        with override_settings(MIDDLEWARE=[ADAPTER]):
            adapted: Any = WSGIHandler()
            other: Any = WSGIHandler()
        assert [call_wsgi(app).body for app in (adapted, other, adapted)] == [b"row"] * 3
        assert refused == [True] * 3


@both_interfaces
def test_a_shared_response_is_the_same_for_every_request(interface: Interface, tmp_path: Any) -> None:
    file = tmp_path / "report.csv"
    file.write_text("a,b\n")
    for shared in (sa.file(file), sa.Response(["a"], headers={"X-Own": "1", "Vary": "Cookie"})):

        def view(request: HttpRequest, shared: sa.Response = shared) -> Any:
            response = stream_response(shared)
            if "HTTP_X_USER" in request.META:
                response.set_cookie("session", request.META["HTTP_X_USER"])
                response["X-User"] = request.META["HTTP_X_USER"]
                response.status_code = 202
            return response

        before = (list(shared.headers), shared.status_code, repr(vars(shared)))
        mine = interface.get(streaming(view), headers=[("X-User", "alice")])
        other = interface.get(streaming(view))
        assert (mine.status, mine.header("X-User"), len(mine.header("Set-Cookie"))) == (202, ["alice"], 1)
        assert (other.status, other.header("X-User"), other.header("Set-Cookie")) == (200, [], [])
        assert (list(shared.headers), shared.status_code, repr(vars(shared))) == before


class Busy(sa.errors.RefusalError):
    status_code = 429
    headers = {"Retry-After": "7"}  # noqa: RUF012  # as an application writes it


class Forbidden(sa.errors.RefusalError):
    status_code = 403


@both_interfaces
def test_a_refusal_of_the_applications_own_is_answered_by_its_status_and_headers(interface: Interface) -> None:
    def busy(request: HttpRequest) -> Iterator[str]:
        raise Busy
        yield

    def forbidden(request: HttpRequest) -> Iterator[str]:
        raise Forbidden("no")
        yield

    answer = interface.get(streaming(busy))
    assert (answer.status, answer.header("Retry-After")) == (429, ["7"])
    answer = interface.get(streaming(forbidden))
    assert answer.status == 403
    assert b"403 Forbidden" in answer.body


@both_interfaces
def test_hop_by_hop_fields_are_dropped(interface: Interface) -> None:
    headers = {"Proxy-Connection": "x", "Trailer": "x", "Connection": "close", "X-Own": "1"}
    answer = interface.get(streaming(headers=headers)(view_of(iter(["a"]))))
    names = {name.lower() for name, _ in answer.headers}
    assert names & {"proxy-connection", "trailer", "connection"} == set()
    assert answer.header("X-Own") == ["1"]


def returns_a_stream(get_response: Any) -> Any:
    """Make a middleware that returns a stream of its own, which Django does not render."""

    def middleware(request: HttpRequest) -> Any:
        return stream_response(iter(["a"]), request=request, headers={"Connection": "close", "X-Own": "1"})

    return middleware


def sets_connection(get_response: Any) -> Any:
    """Make a middleware that sets a hop-by-hop field on the response."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        response.headers["Connection"] = "close"
        return response

    return middleware


@both_interfaces
@pytest.mark.parametrize("middleware", [returns_a_stream, sets_connection], ids=lambda made: made.__name__)
def test_hop_by_hop_field_from_middleware_is_not_sent(interface: Interface, middleware: Any) -> None:
    view = streaming(headers={"X-Own": "1"})(view_of(iter(["a"])))
    answer = interface.get(view, middleware=[f"{__name__}.{middleware.__name__}"])
    assert (answer.status, answer.header("Connection"), answer.header("X-Own")) == (200, [], ["1"])
