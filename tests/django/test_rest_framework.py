"""Views of Django REST framework, and of adrf: every kind of view, sync and async, under either protocol."""

# pyright: basic
# REST framework and adrf have no types

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adrf.decorators
import adrf.views
import adrf.viewsets
import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.decorators import action, api_view, content_negotiation_class
from rest_framework.renderers import JSONRenderer
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

import stream_adapter as sa
from stream_adapter_django import last_event_id, stream_response, streaming
from stream_adapter_django.drf import StreamNegotiation
from tests.django.support import ADAPTER, Interface, both_interfaces
from tests.django.support import exceptions as seen_by_django
from tests.support.interfaces import SOURCES, either_way

RENDERERS = [JSONRenderer]
Make = Callable[[Any], Any]  # what to stream, for a request


def api_method(make: Make) -> Any:
    class Rows(APIView):
        renderer_classes = RENDERERS

        @streaming
        def get(self, request: Any) -> Any:
            return make(request)

    return Rows.as_view()


def api_generator(make: Make) -> Any:
    class Rows(APIView):
        renderer_classes = RENDERERS

        @streaming
        def get(self, request: Any) -> Any:
            yield from make(request)

    return Rows.as_view()


def api_async_generator(make: Make) -> Any:
    class Rows(APIView):
        renderer_classes = RENDERERS

        @streaming
        async def get(self, request: Any) -> Any:
            for item in make(request):
                yield item

    return Rows.as_view()


def api_function(make: Make) -> Any:
    @api_view(["GET"])
    @streaming
    def rows(request: Any) -> Any:
        return make(request)

    return rows


def api_async_generator_function(make: Make) -> Any:
    @api_view(["GET"])
    @streaming
    async def rows(request: Any) -> Any:
        for item in make(request):
            yield item

    return rows


def viewset_action(make: Make) -> Any:
    class Rows(ViewSet):
        renderer_classes = RENDERERS

        @action(detail=False)
        @streaming
        def export(self, request: Any) -> Any:
            return make(request)

    return Rows.as_view({"get": "export"})


def viewset_async_generator(make: Make) -> Any:
    class Rows(ViewSet):
        renderer_classes = RENDERERS

        @action(detail=False)
        @streaming
        async def export(self, request: Any) -> Any:
            for item in make(request):
                yield item

    assert [extra.__name__ for extra in Rows.get_extra_actions()] == ["export"]
    return Rows.as_view({"get": "export"})


def function_call(make: Make) -> Any:
    class Rows(APIView):
        renderer_classes = RENDERERS

        def get(self, request: Any) -> Any:
            return stream_response(make(request), request=request)

    return Rows.as_view()


def negotiated(make: Make) -> Any:
    class Rows(APIView):
        renderer_classes = RENDERERS
        content_negotiation_class = StreamNegotiation

        def get(self, request: Any) -> Any:
            return stream_response(make(request))

    return Rows.as_view()


def adrf_method(make: Make) -> Any:
    class Rows(adrf.views.APIView):
        renderer_classes = RENDERERS

        @streaming
        async def get(self, request: Any) -> Any:
            return make(request)

    return Rows.as_view()


def adrf_async_generator(make: Make) -> Any:
    class Rows(adrf.views.APIView):
        renderer_classes = RENDERERS

        @streaming
        async def get(self, request: Any) -> Any:
            for item in make(request):
                yield item

        async def post(self, request: Any) -> Any:
            raise NotImplementedError  # an async method beside it

    return Rows.as_view()


def adrf_function(make: Make) -> Any:
    @adrf.decorators.api_view(["GET"])
    @streaming
    async def rows(request: Any) -> Any:
        for item in make(request):
            yield item

    return rows


def adrf_viewset(make: Make) -> Any:
    class Rows(adrf.viewsets.ViewSet):
        renderer_classes = RENDERERS

        @streaming
        async def list(self, request: Any) -> Any:
            return make(request)

    return Rows.as_view({"get": "list"})


def adrf_function_call(make: Make) -> Any:
    class Rows(adrf.views.APIView):
        renderer_classes = RENDERERS
        content_negotiation_class = StreamNegotiation

        async def get(self, request: Any) -> Any:
            return stream_response(make(request))

    return Rows.as_view()


GENERATORS = (api_generator, api_async_generator, api_async_generator_function, viewset_async_generator)
RETURN = (
    api_method,
    api_function,
    viewset_action,
    function_call,
    negotiated,
    adrf_method,
    adrf_viewset,
)
ALL = {kind.__name__: kind for kind in (*GENERATORS, *RETURN, adrf_async_generator, adrf_function, adrf_function_call)}
each_kind = pytest.mark.parametrize("kind", ALL.values(), ids=ALL)
each_that_returns = pytest.mark.parametrize("kind", [*RETURN, adrf_function_call], ids=lambda kind: kind.__name__)


@both_interfaces
@each_kind
def test_a_view_of_any_kind_is_streamed(interface: Interface, kind: Any) -> None:
    answer = interface.get(kind(lambda request: iter(["one ", "two"])))
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", True)
    assert answer.header("Allow")


ANSWERS: list[tuple[Exception, int, Any]] = [
    (exceptions.Throttled(wait=7), 429, None),
    (exceptions.PermissionDenied("not yours"), 403, {"detail": "not yours"}),
    (exceptions.NotFound("no rows"), 404, {"detail": "no rows"}),
    (exceptions.ValidationError({"page": ["odd"]}), 400, {"page": ["odd"]}),
    (PermissionDenied("not yours"), 403, {"detail": "not yours"}),
    (Http404("no rows"), 404, {"detail": "no rows"}),
]


@both_interfaces
@each_kind
def test_an_exception_before_the_first_item_is_answered_by_the_frameworks_handler(
    interface: Interface, kind: Any
) -> None:
    for error, status, data in ANSWERS:

        def rows(request: Any, error: Exception = error) -> Any:
            raise error
            yield

        answer = interface.get(kind(rows))
        assert (answer.status, answer.header("Content-Type")) == (status, ["application/json"])
        assert answer.header("Retry-After") == (["7"] if status == 429 else [])
        assert data is None or json.loads(answer.body) == data
        assert answer.header("Allow")


@both_interfaces
@each_kind
def test_an_exception_that_the_handler_does_not_know_is_djangos_500(interface: Interface, kind: Any) -> None:
    def rows(request: Any) -> Any:
        raise LookupError("secret")
        yield

    with seen_by_django() as caught:
        answer = interface.get(kind(rows))
    assert (answer.status, [type(error) for error in caught]) == (500, [LookupError])
    assert b"secret" not in answer.body


@both_interfaces
@each_kind
def test_head_does_not_start_the_source(interface: Interface, kind: Any) -> None:
    started: list[str] = []

    def rows(request: Any) -> Any:
        started.append("yes")
        yield "row"

    answer = interface.get(kind(rows), method="HEAD")
    if answer.status == 405:  # @api_view(["GET"]) allows no HEAD
        pytest.skip("the framework answers by itself")
    assert (answer.status, answer.body, started) == (200, b"", [])


@both_interfaces
@each_that_returns
def test_a_range_and_a_condition_are_answered_as_in_a_plain_view(
    interface: Interface, kind: Any, tmp_path: Path
) -> None:
    file = tmp_path / "video.mp4"
    file.write_bytes(b"0123456789")
    view = kind(lambda request: sa.file(file))
    part = interface.get(view, headers=[("Range", "bytes=0-3")])
    assert (part.status, part.body, part.header("Content-Range")) == (206, b"0123", ["bytes 0-3/10"])
    etag = part.header("ETag")[0]
    assert interface.get(view, headers=[("If-None-Match", etag)]).status == 304
    missing = interface.get(kind(lambda request: sa.file(tmp_path / "none")))
    assert (missing.status, missing.header("Content-Type")) == (404, ["application/json"])


@both_interfaces
@each_that_returns
def test_the_format_is_negotiated_and_a_client_resumes(interface: Interface, kind: Any) -> None:
    view = kind(lambda request: sa.sse([last_event_id(request)], retry=None, end="end"))
    assert interface.get(view, headers=[("Last-Event-ID", "end")]).status == 204
    assert b"data: 7\n" in interface.get(view, headers=[("Last-Event-ID", "7")]).body


@both_interfaces
@either_way
def test_a_client_that_leaves_closes_the_source(interface: Interface, way: str) -> None:
    source = SOURCES[way](iter(lambda: b"x", b""))
    interface.get(api_method(lambda request: source), leave_after=2)
    assert source.closes == 1


@both_interfaces
@pytest.mark.parametrize("accept", ["text/event-stream", "text/csv", "application/x-ndjson"])
def test_stream_negotiation_accepts_clients_of_stream_formats(interface: Interface, accept: str) -> None:
    @api_view(["GET"])
    @content_negotiation_class(StreamNegotiation)
    @streaming
    def rows(request: Any) -> Any:
        if "secret" in request.query_params:
            raise exceptions.NotAuthenticated
        yield {"row": 1}

    rows.cls.renderer_classes = RENDERERS  # pyright: ignore[reportFunctionMemberAccess]  # the framework sets it
    answer = interface.get(rows, headers=[("Accept", accept)])
    expected = "application/x-ndjson" if accept == "text/csv" else accept  # a CSV is not negotiated: it is sa.csv's
    assert (answer.status, answer.header("Content-Type")) == (200, [expected])
    assert interface.get(rows, headers=[("Accept", "image/png")]).status == 406


class Item(serializers.Serializer[Any]):
    name = serializers.CharField()
    shout = serializers.SerializerMethodField()

    def get_shout(self, item: Any) -> str:
        return str(item["name"]).upper()


@both_interfaces
def test_a_serializer_of_many_streams_each_item_as_it_comes(interface: Interface) -> None:
    taken: list[str] = []

    def items() -> Any:
        for name in ("a", "b"):
            taken.append(name)
            yield {"name": name}

    def make(request: Any) -> Any:
        serializer = Item(items(), many=True)
        assert taken == []
        return serializer

    expected = b'{"name":"a","shout":"A"}\n{"name":"b","shout":"B"}\n'
    answer = interface.get(api_method(make))
    assert (answer.body, answer.header("Content-Type")) == (expected, ["application/x-ndjson"])
    assert interface.get(api_method(lambda _: Item([{"name": "a"}, {"name": "b"}], many=True).data)).body == expected
    assert interface.get(api_method(lambda _: (Item({"name": n}).data for n in "ab"))).body == expected
    assert json.loads(interface.get(api_method(lambda _: Item({"name": "a"}))).body) == {"name": "a", "shout": "A"}


@both_interfaces
def test_undecorated_view_under_adapter_is_an_error_with_the_remedy(interface: Interface) -> None:
    class Rows(APIView):
        def get(self, request: Any) -> Any:
            yield "one"

    with seen_by_django() as caught:
        assert interface.get([path("", Rows.as_view())], middleware=[ADAPTER]).status == 500
    assert "write @streaming directly above" in " ".join(caught[0].__notes__)


def test_request_of_a_factory_does_not_leak_into_later_responses() -> None:
    view = negotiated(lambda request: iter(["one"]))
    assert b"".join(view(APIRequestFactory().head("/"))) == b"one"  # nothing has announced it
    assert b"".join(stream_response(iter(["two"]))) == b"two"
