"""Operations of django-ninja: sync and async, under either protocol, with its handlers and its schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.http import Http404, HttpRequest
from django.urls import path
from ninja import NinjaAPI, Query, Router, Schema
from ninja.errors import HttpError
from ninja.responses import Status

import stream_adapter as sa
from stream_adapter_django import stream_response, streaming
from tests.django.support import ADAPTER, Interface, both_interfaces, exceptions, view_of
from tests.support.interfaces import SOURCES, either_way

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


def stream_responses(make: Make) -> Any:
    @streaming
    def operation(request: HttpRequest) -> Any:
        return stream_response(make(request))

    return operation


KINDS = {kind.__name__: kind for kind in (returns, generator, async_generator, coroutine, stream_responses)}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
each_that_returns = pytest.mark.parametrize(
    "kind", [returns, coroutine, stream_responses], ids=lambda kind: kind.__name__
)


@both_interfaces
@each_kind
@pytest.mark.parametrize("mounted", [False, True], ids=["api", "router"])
def test_an_operation_of_any_kind_is_streamed(interface: Interface, kind: Any, mounted: bool) -> None:
    answer = interface.get(routes(kind(view_of(iter(["one ", "two"]))), mounted=mounted))
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", True)


@both_interfaces
@each_kind
@pytest.mark.parametrize("mounted", [False, True], ids=["api", "router"])
def test_an_exception_before_the_first_item_is_answered_by_the_apis_handlers(
    interface: Interface, kind: Any, mounted: bool
) -> None:
    for error, status, data in (
        (Refused("no"), 418, {"refused": "no"}),
        (HttpError(429, "later"), 429, {"detail": "later"}),
        (Http404(), 404, {"detail": "Not Found"}),
    ):

        def rows(request: HttpRequest, error: Exception = error) -> Any:
            raise error
            yield

        answer = interface.get(routes(kind(rows), mounted=mounted))
        assert (answer.status, json.loads(answer.body)) == (status, data)


@both_interfaces
@each_kind
def test_head_does_not_start_the_source(interface: Interface, kind: Any) -> None:
    started: list[str] = []

    def rows(request: HttpRequest) -> Any:
        started.append("yes")
        yield "row"

    answer = interface.get(routes(kind(rows)), method="HEAD")
    assert (answer.status, answer.body, started) == (200, b"", [])


@both_interfaces
@each_that_returns
def test_a_range_is_answered_as_in_a_plain_view(interface: Interface, kind: Any, tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    file.write_bytes(b"0123456789")
    part = interface.get(routes(kind(view_of(sa.file(file)))), headers=[("Range", "bytes=0-3")])
    assert (part.status, part.body) == (206, b"0123")


@both_interfaces
def test_accept_chooses_the_format_of_an_operations_stream(interface: Interface) -> None:
    answer = interface.get(routes(generator(view_of([{"a": 1}]))), headers=[("Accept", "text/event-stream")])
    assert answer.header("Content-Type") == ["text/event-stream"]


@both_interfaces
@either_way
def test_a_client_that_leaves_closes_the_source(interface: Interface, way: str) -> None:
    source = SOURCES[way](iter(lambda: b"x", b""))
    interface.get(routes(returns(view_of(source))), leave_after=2)
    assert source.closes == 1


@streaming
async def paged(request: HttpRequest, page: Page = Query(...)) -> Any:  # type: ignore[type-arg]  # noqa: B008  # ninja's way
    yield f"{page.first}"


@both_interfaces
def test_parameters_of_a_decorated_operation_are_parsed(interface: Interface) -> None:
    """The annotations of this module are text, which ninja reads among the names of the wrapper's module."""
    assert interface.get(routes(paged)).body == b"0"


@both_interfaces
@each_kind
def test_instances_of_a_schema_are_items(interface: Interface, kind: Any) -> None:
    answer = interface.get(routes(kind(view_of(iter([Out(name="a"), Out(name="b")])))))
    assert answer.body == b'{"name":"a"}\n{"name":"b"}\n'


class User:
    """An object with attributes, as a model instance is."""

    name = "ada"
    password = "secret"


DECLARED: list[Any] = [list[Out], Out, {200: list[Out], 404: Page}]
each_declared = pytest.mark.parametrize("declared", DECLARED, ids=str)
SECRETS = [{"name": "ada", "password": "secret"}, User()]


@both_interfaces
@pytest.mark.parametrize("kind", [returns, generator, async_generator, coroutine], ids=lambda kind: kind.__name__)
@each_declared
def test_a_declared_response_is_held_for_each_item(interface: Interface, kind: Any, declared: Any) -> None:
    answer = interface.get(routes(kind(view_of(iter(SECRETS))), response=declared))
    assert answer.body == b'{"name":"ada"}\n{"name":"ada"}\n'


@both_interfaces
@either_way
def test_a_declared_response_is_held_for_events_and_closes_the_source(interface: Interface, way: str) -> None:
    source = SOURCES[way]([sa.ServerSentEvent(SECRETS[0], id="7"), SECRETS[1]])
    operation = streaming(format=sa.formats.SSE(retry=None))(view_of(source))
    answer = interface.get(routes(operation, response=list[Out]))
    assert answer.body == b'id: 7\ndata: {"name":"ada"}\n\ndata: {"name":"ada"}\n\n'
    assert source.closes == 1
    source = SOURCES[way]([SECRETS[0]])
    assert interface.get(routes(returns(view_of(source)), response=list[Out]), method="HEAD").status == 200
    assert (source.steps, source.closes) == (0, 1)


@both_interfaces
@either_way
def test_an_item_that_does_not_fit_a_declared_response_is_an_error_that_names_it(
    interface: Interface, way: str
) -> None:
    source = SOURCES[way]([{"named": "secret"}])
    with exceptions() as caught:
        assert interface.get(routes(returns(view_of(source)), response=list[Out])).status == 500
    problem = "chunk 0: returns.<locals>.operation: expected an item of Out, got dict; name: Field required"
    assert str(caught[0]) == problem
    assert source.closes == 1


@both_interfaces
def test_a_response_whose_items_cannot_be_seen_is_an_error_where_one_is_declared(interface: Interface) -> None:
    with exceptions() as caught:
        assert interface.get(routes(returns(view_of(sa.ndjson(iter(SECRETS)))), response=list[Out])).status == 500
    assert "cannot be held for a Response" in str(caught[0])


@both_interfaces
def test_run_is_an_error_where_a_response_is_declared_and_begins_nothing(interface: Interface) -> None:
    with sa.Broker() as live, exceptions() as caught:
        run = live.run("a", lambda: iter(SECRETS))
        assert interface.get(routes(returns(view_of(run)), response=list[Out])).status == 500
        assert (run.id, live.join("a")) == (None, None)
    assert "cannot be held for a Run" in str(caught[0])


def test_streaming_on_a_native_ninja_stream_is_an_error() -> None:
    streams = pytest.importorskip("ninja.streaming")
    with pytest.raises(TypeError, match="both @streaming and a stream of django-ninja's own"):
        routes(returns(view_of(None)), response=streams.JSONL[Out])


@both_interfaces
def test_undecorated_view_under_adapter_is_an_error_with_the_remedy(interface: Interface) -> None:
    def rows(request: HttpRequest) -> Any:
        yield "one"

    with exceptions() as caught:
        assert interface.get(routes(rows), middleware=[ADAPTER]).status == 500
    assert "write @streaming directly above" in " ".join(caught[0].__notes__)


class Placed(Schema):
    name: str
    path: str = ""

    @staticmethod
    def resolve_path(item: Any, context: Any) -> str:
        request: HttpRequest = context["request"]
        return f"{request.path}:{context['response_status']}"


def stated(make: Make) -> Any:
    @streaming(status_code=201)
    def operation(request: HttpRequest) -> Any:
        return make(request)

    return operation


def alone(items: Any) -> Any:
    return items


def in_a_status(items: Any) -> Any:
    return Status(201, items)


def in_a_tuple(items: Any) -> Any:
    return 201, items


STATUSES: dict[str, tuple[Any, Any, Any]] = {
    "the only one": (returns, {201: list[Out]}, alone),
    "that of the decorator": (stated, {200: list[Page], 201: list[Out]}, alone),
    "brought by a Status": (returns, {200: list[Page], 201: list[Out]}, in_a_status),
    "brought in a tuple": (returns, {200: list[Page], 201: list[Out]}, in_a_tuple),
}


@both_interfaces
@pytest.mark.parametrize(("kind", "declared", "answered"), STATUSES.values(), ids=STATUSES)
def test_the_response_that_is_declared_for_the_status_is_held(
    interface: Interface, kind: Any, declared: Any, answered: Any
) -> None:
    answer = interface.get(routes(kind(view_of(answered(iter(SECRETS)))), response=declared))
    assert (answer.status, b"password" in answer.body) == (201, False)
    assert json.loads(answer.body.splitlines()[0]) == {"name": "ada"}


def test_undeclared_status_beside_declared_ones_is_an_error() -> None:
    with exceptions() as caught:
        assert Interface("wsgi").get(routes(stated(view_of(iter(SECRETS))), response={200: list[Out]})).status == 500
    assert "no schema for status 201" in str(caught[0])


@pytest.mark.parametrize("declared", [{}, {"response": {404: Page}}], ids=["nothing", "an error"])
def test_a_stream_that_is_not_declared_has_the_status_of_its_decorator(declared: Any) -> None:
    assert Interface("wsgi").get(routes(stated(view_of(iter("ab"))), **declared)).status == 201
    assert Interface("wsgi").get(routes(returns(view_of(iter("ab"))), **declared)).status == 200


@both_interfaces
def test_the_resolvers_of_a_schema_see_the_request(interface: Interface) -> None:
    answer = interface.get(routes(returns(view_of(iter([{"name": "ada"}]))), response=list[Placed]))
    assert json.loads(answer.body) == {"name": "ada", "path": "/:200"}


@both_interfaces
def test_declared_dates_are_framed_as_json(interface: Interface) -> None:
    answer = interface.get(routes(returns(view_of(iter(["2026-01-02", "2026-01-03"]))), response=list[date]))
    assert answer.body == b'"2026-01-02"\n"2026-01-03"\n'
