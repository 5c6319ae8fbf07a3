"""What is raised before the first item is the view's own error; after it, the connection breaks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

import stream_adapter as sa
from stream_adapter_django import path, stream_response, streaming
from tests.django.site.models import Row
from tests.django.support import ADAPTER, Interface, both_interfaces, exceptions, view_of
from tests.support.interfaces import SOURCES, either_way

CSRF = "django.middleware.csrf.CsrfViewMiddleware"

STATUSES = [(PermissionDenied, 403), (Http404, 404), (ValueError("secret"), 500)]
each_status = pytest.mark.parametrize(("error", "status"), STATUSES, ids=str)


class Rescue:
    """Middleware that answers every exception of a view."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        return HttpResponse(f"rescued from {type(error).__name__}", status=418)


RESCUE = f"{__name__}.Rescue"


@both_interfaces
@either_way
@each_status
def test_an_error_before_the_first_item_is_a_real_status(
    interface: Interface, way: str, error: Any, status: int
) -> None:
    source = SOURCES[way]([error if isinstance(error, Exception) else error("no")])
    with exceptions() as caught:
        answer = interface.get(streaming(view_of(source)))
    assert (answer.status, answer.complete, source.closes) == (status, True, 1)
    assert b"secret" not in answer.body
    assert [type(error) for error in caught] == ([ValueError] if status == 500 else [])


@both_interfaces
@either_way
@pytest.mark.parametrize("mode", ["decorator", "middleware", "route", "stream_response"])
def test_process_exception_sees_an_error_before_the_first_item(interface: Interface, way: str, mode: str) -> None:
    source = SOURCES[way]([LookupError("no")])
    view = view_of(stream_response(source) if mode == "stream_response" else source)
    if mode == "decorator":
        view = streaming(view)
    middleware = [RESCUE, ADAPTER] if mode == "middleware" else [RESCUE]
    answer = interface.get([path("", view, streaming=mode == "route")], middleware=middleware)
    assert (answer.status, answer.body, source.closes) == (418, b"rescued from LookupError", 1)


@both_interfaces
@either_way
def test_an_error_after_two_items_breaks_the_connection(
    interface: Interface, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = SOURCES[way]([b"one ", b"two", ValueError("secret")])
    with caplog.at_level(logging.CRITICAL, "stream_adapter"):
        answer = interface.get(streaming(view_of(source)))
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", False)
    assert isinstance(answer.error, ValueError)
    assert source.closes == 1


@both_interfaces
def test_a_source_that_was_streamed_already_is_an_error_of_the_next_request(interface: Interface) -> None:
    once = sa.Response(iter(["once"]))
    view = streaming(view_of(once))
    assert interface.get(view).body == b"once"
    with exceptions() as caught:
        assert interface.get(view).status == 500
    assert [type(error) for error in caught] == [sa.StreamConsumedError]


def test_unstreamable_result_of_a_streaming_route_is_an_error_that_names_the_view() -> None:
    for result in (None, object()):

        def view(request: HttpRequest, result: Any = result) -> Any:
            return result

        with exceptions() as caught:
            assert Interface("wsgi").get([path("", view, streaming=True)]).status == 500
        assert isinstance(caught[0], TypeError)
        assert str(caught[0]).startswith(f"{view.__module__}.{view.__qualname__}: view returned ")


def test_unstreamable_result_under_streaming_decorator_names_the_view() -> None:
    @streaming
    def view(request: HttpRequest) -> Any:
        return object()

    with exceptions() as caught:
        assert Interface("wsgi").get(view).status == 500
    assert str(caught[0]).startswith(f"{view.__module__}.{view.__qualname__}: view returned what cannot be streamed; ")


def test_a_streaming_route_cannot_include_others() -> None:
    with pytest.raises(TypeError, match="expected a view, got tuple"):
        path("", ([], None, None), streaming=True)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]  # must be refused


@both_interfaces
@pytest.mark.parametrize("mode", ["decorator", "middleware", "route"])
def test_csrf_check_applies_to_streaming_views(interface: Interface, mode: str) -> None:
    def view(request: HttpRequest) -> Iterator[str]:
        yield "posted"

    async def async_view(request: HttpRequest) -> AsyncIterator[str]:
        yield "posted"

    for function in (view, async_view):
        adapted: Any = streaming(function) if mode == "decorator" else function
        middleware = [CSRF, ADAPTER] if mode == "middleware" else [CSRF]
        routes = [path("", adapted, streaming=mode == "route")]
        assert interface.get(routes, middleware=middleware, method="POST").status == 403
        exempt = [path("", csrf_exempt(adapted), streaming=mode == "route")]
        assert interface.get(exempt, middleware=middleware, method="POST").body == b"posted"


@both_interfaces
@either_way
def test_a_head_request_has_the_headers_and_never_starts_the_source(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"never"])
    answer = interface.get(streaming(view_of(sa.Response(source, media_type="text/csv"))), method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Content-Type") == ["text/csv; charset=utf-8"]
    assert (source.steps, source.closes) == (0, 1)


@both_interfaces
def test_model_instance_is_an_error_that_suggests_values(interface: Interface) -> None:
    with exceptions() as caught:
        assert interface.get(streaming(view_of(iter([Row(text="row")])))).status == 500
    assert str(caught[0]).endswith("got tests.django.site.models.Row; stream queryset.values()")
