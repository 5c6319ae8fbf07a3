"""Operations of django-ninja: sync and async, under either protocol, with its handlers and its schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.http import Http404, HttpRequest
from django.urls import path
from ninja import NinjaAPI, Query, Router, Schema
from ninja.errors import HttpError

import stream_adapter as sa
from stream_adapter_django import stream_response, streaming
from tests.django.support import ADAPTER, Edge, both_edges, exceptions, view_of
from tests.support.edges import SOURCES, either_way

Make = Callable[[HttpRequest], Any]  # what to stream, for a request


class Page(Schema):
    first: int = 0


class Out(Schema):
    name: str


class Refused(Exception):
    """An error of the application, for which the API has a handler."""


def routes(operation: Any, *, mounted: bool = False, **options: Any) -> list[Any]:
    """Return the routes of an API with one operation, itself or by a router."""
    api = NinjaAPI(urls_namespace=f"{id(operation)}", docs_url=None, openapi_url=None)

    @api.exception_handler(Refused)
    def refused(request: HttpRequest, error: Any) -> Any:
        return api.create_response(request, {"refused": str(error)}, status=418)

    router = Router()
    (router if mounted else api).api_operation(["GET", "HEAD"], "/", **options)(operation)
    if mounted:
        api.add_router("", router)
    return [path("", api.urls)]


def returns(make: Make) -> Any:
    @streaming
    def operation(request: HttpRequest) -> Any:
        return make(request)

    return operation


def generator(make: Make) -> Any:
    @streaming
    def operation(request: HttpRequest) -> Any:
        yield from make(request)

    return operation


def async_generator(make: Make) -> Any:
    @streaming
    async def operation(request: HttpRequest) -> Any:
        for item in make(request):
            yield item

    return operation


def coroutine(make: Make) -> Any:
    @streaming
    async def operation(request: HttpRequest) -> Any:
        return make(request)

    return operation


def by_verb(make: Make) -> Any:
    @streaming
    def operation(request: HttpRequest) -> Any:
        return stream_response(make(request))

    return operation


KINDS = {kind.__name__: kind for kind in (returns, generator, async_generator, coroutine, by_verb)}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
each_that_returns = pytest.mark.parametrize("kind", [returns, coroutine, by_verb], ids=lambda kind: kind.__name__)


@both_edges
@each_kind
@pytest.mark.parametrize("mounted", [False, True], ids=["api", "router"])
def test_an_operation_of_any_kind_is_streamed(edge: Edge, kind: Any, mounted: bool) -> None:
    answer = edge.get(routes(kind(view_of(iter(["one ", "two"]))), mounted=mounted))
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", True)


@both_edges
@each_kind
@pytest.mark.parametrize("mounted", [False, True], ids=["api", "router"])
def test_an_exception_before_the_first_item_is_answered_by_the_apis_handlers(
    edge: Edge, kind: Any, mounted: bool
) -> None:
    for error, status, data in (
        (Refused("no"), 418, {"refused": "no"}),
        (HttpError(429, "later"), 429, {"detail": "later"}),
        (Http404(), 404, {"detail": "Not Found"}),
    ):

        def rows(request: HttpRequest, error: Exception = error) -> Any:
            raise error
            yield

        answer = edge.get(routes(kind(rows), mounted=mounted))
        assert (answer.status, json.loads(answer.body)) == (status, data)


@both_edges
@each_kind
def test_head_does_not_start_the_source(edge: Edge, kind: Any) -> None:
    started: list[str] = []

    def rows(request: HttpRequest) -> Any:
        started.append("yes")
        yield "row"

    answer = edge.get(routes(kind(rows)), method="HEAD")
    assert (answer.status, answer.body, started) == (200, b"", [])


@both_edges
@each_that_returns
def test_a_range_is_answered_as_in_a_plain_view(edge: Edge, kind: Any, tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    file.write_bytes(b"0123456789")
    part = edge.get(routes(kind(view_of(sa.file(file)))), headers=[("Range", "bytes=0-3")])
    assert (part.status, part.body) == (206, b"0123")


@both_edges
def test_the_format_is_negotiated(edge: Edge) -> None:
    answer = edge.get(routes(generator(view_of([{"a": 1}]))), headers=[("Accept", "text/event-stream")])
    assert answer.header("Content-Type") == ["text/event-stream"]


@both_edges
@either_way
def test_a_client_that_leaves_closes_the_source(edge: Edge, way: str) -> None:
    source = SOURCES[way](iter(lambda: b"x", b""))
    edge.get(routes(returns(view_of(source))), leave_after=2)
    assert source.closes == 1


@streaming
async def paged(request: HttpRequest, page: Page = Query(...)) -> Any:  # type: ignore[type-arg]  # noqa: B008  # ninja's way
    yield f"{page.first}"


@both_edges
def test_parameters_of_a_decorated_operation_are_parsed(edge: Edge) -> None:
    """The annotations of this module are text, which ninja reads among the names of the wrapper's module."""
    assert edge.get(routes(paged)).body == b"0"


@both_edges
@each_kind
def test_instances_of_a_schema_are_items(edge: Edge, kind: Any) -> None:
    answer = edge.get(routes(kind(view_of(iter([Out(name="a"), Out(name="b")])))))
    assert answer.body == b'{"name":"a"}\n{"name":"b"}\n'


@both_edges
def test_to_the_app_wide_adapter_the_error_says_what_to_write(edge: Edge) -> None:
    def rows(request: HttpRequest) -> Any:
        yield "one"

    with exceptions() as caught:
        assert edge.get(routes(rows), middleware=[ADAPTER]).status == 500
    assert "write @streaming directly above" in " ".join(caught[0].__notes__)
