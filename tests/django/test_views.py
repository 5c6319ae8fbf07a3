"""Every kind of view, with either kind of source, under either protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page, never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import condition, require_GET
from django.views.decorators.vary import vary_on_headers

import stream_adapter as sa
from stream_adapter_django import StreamResponse, path, stream_response, streaming
from tests.django.support import ADAPTER, Interface, Opener, both_interfaces, exceptions, view_of
from tests.support.gate import Gate
from tests.support.interfaces import SOURCES, either_way


def rows() -> Iterator[str]:
    yield "one "
    yield "two"


async def async_rows() -> AsyncIterator[str]:
    yield "one "
    yield "two"


def returns_generator(request: HttpRequest) -> Any:
    return rows()


def returns_async_generator(request: HttpRequest) -> Any:
    return async_rows()


async def async_returns_generator(request: HttpRequest) -> Any:
    return rows()


async def async_returns_async_generator(request: HttpRequest) -> Any:
    return async_rows()


def is_generator(request: HttpRequest) -> Iterator[str]:
    yield "one "
    yield "two"


async def is_async_generator(request: HttpRequest) -> AsyncIterator[str]:
    yield "one "
    yield "two"


def returns_response(request: HttpRequest) -> Any:
    return sa.Response(rows())


class GetReturns(View):
    def get(self, request: HttpRequest) -> Any:
        return rows()


class GetYields(View):
    def get(self, request: HttpRequest) -> Any:
        yield "one "
        yield "two"


class AsyncGetReturns(View):
    async def get(self, request: HttpRequest) -> Any:
        return async_rows()


class AsyncGetYields(View):
    async def get(self, request: HttpRequest) -> Any:
        yield "one "
        yield "two"


FUNCTIONS: dict[str, Callable[..., Any]] = {
    view.__name__: view
    for view in (
        returns_generator,
        returns_async_generator,
        async_returns_generator,
        async_returns_async_generator,
        is_generator,
        is_async_generator,
        returns_response,
    )
}
CLASSES: dict[str, type[View]] = {cls.__name__: cls for cls in (GetReturns, GetYields, AsyncGetReturns, AsyncGetYields)}
each_function = pytest.mark.parametrize("view", FUNCTIONS.values(), ids=FUNCTIONS)
each_class = pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)


@both_interfaces
@each_function
def test_a_decorated_view_is_streamed(interface: Interface, view: Any) -> None:
    answer = interface.get(streaming(view))
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", True)
    assert answer.header("Content-Type") == ["text/plain; charset=utf-8"]


@both_interfaces
@each_function
def test_the_middleware_streams_an_undecorated_view(interface: Interface, view: Any) -> None:
    answer = interface.get(view, middleware=[ADAPTER])
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", True)


@both_interfaces
@each_function
def test_a_route_streams_an_undecorated_view(interface: Interface, view: Any) -> None:
    answer = interface.get([path("", view, streaming=True)])
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", True)


@both_interfaces
@each_function
def test_decorator_route_and_middleware_together_stream_once(interface: Interface, view: Any) -> None:
    answer = interface.get([path("", streaming(view), streaming=True)], middleware=[ADAPTER])
    assert (answer.status, answer.body, answer.complete) == (200, b"one two", True)


@both_interfaces
@each_class
def test_class_based_views_are_streamed_by_the_middleware(interface: Interface, cls: type[View]) -> None:
    assert interface.get(cls.as_view(), middleware=[ADAPTER]).body == b"one two"


@both_interfaces
@each_class
def test_class_based_views_are_streamed_by_their_route(interface: Interface, cls: type[View]) -> None:
    assert interface.get([path("", cls.as_view(), streaming=True)]).body == b"one two"


@both_interfaces
@each_class
@pytest.mark.parametrize("name", ["get", "dispatch"])
def test_method_decorator_streams_class_based_views(interface: Interface, cls: type[View], name: str) -> None:
    decorated: Any = method_decorator(streaming, name=name)(type(cls.__name__, (cls,), {}))
    assert interface.get(decorated.as_view()).body == b"one two"


@both_interfaces
@pytest.mark.parametrize("cls", [GetReturns, GetYields, AsyncGetReturns, AsyncGetYields])
def test_a_method_is_decorated_like_a_function(interface: Interface, cls: type[View]) -> None:
    decorated: Any = type(cls.__name__, (View,), {"get": streaming(cls.__dict__["get"])})
    assert interface.get(decorated.as_view()).body == b"one two"


@both_interfaces
@either_way
@pytest.mark.parametrize("by_async_view", [False, True], ids=["sync view", "async view"])
def test_stream_response_needs_no_decorator(interface: Interface, way: str, by_async_view: bool) -> None:
    def view(request: HttpRequest) -> Any:
        response = stream_response(SOURCES[way](["one ", "two"]), headers={"X-Made": "yes"})
        response["X-View"] = response["X-Made"]
        return response

    async def async_view(request: HttpRequest) -> Any:
        return view(request)

    answer = interface.get(async_view if by_async_view else view)
    assert answer.body == b"one two"
    assert (answer.header("X-View"), answer.header("X-Made")) == (["yes"], ["yes"])


@both_interfaces
@either_way
def test_each_chunk_is_received_before_the_source_is_asked_for_the_next(interface: Interface, way: str) -> None:
    gate = Gate()

    @streaming
    def sync_view(request: HttpRequest) -> Any:
        for number in range(3):
            yield f"{number}"
            gate.wait()

    @streaming
    async def async_view(request: HttpRequest) -> Any:
        for number in range(3):
            yield f"{number}"
            await gate.wait_async()

    answer = interface.get(sync_view if way == "sync" else async_view, watcher=Opener(gate))
    assert answer.blocks == [b"0", b"1", b"2"]


@both_interfaces
def test_options_of_the_decorator_are_those_of_a_response(interface: Interface) -> None:
    @streaming(media_type="text/csv", status_code=201, headers={"X-Rows": "2"})
    def view(request: HttpRequest) -> Any:
        return rows()

    answer = interface.get(view)
    assert answer.status == 201
    assert answer.header("Content-Type") == ["text/csv; charset=utf-8"]
    assert answer.header("X-Rows") == ["2"]


def test_a_bad_option_of_the_decorator_is_an_error_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="unknown option 'sttus'"):
        streaming(sttus=200)  # type: ignore[call-overload]  # the mistake


@both_interfaces
def test_djangos_own_responses_pass_untouched(interface: Interface) -> None:
    @streaming
    def view(request: HttpRequest) -> Any:
        return JsonResponse({"own": True}, status=202)

    answer = interface.get(view)
    assert (answer.status, answer.body) == (202, b'{"own": true}')


@pytest.mark.parametrize("value", [["a"], {"a": 1}, "a", ("a",)], ids=lambda value: type(value).__name__)
def test_list_dict_and_text_under_middleware_are_djangos_error(value: Any) -> None:
    answer = Interface("wsgi").get(view_of(value), middleware=[ADAPTER])
    assert isinstance(answer.error, AttributeError)


@both_interfaces
def test_a_view_that_returns_none_is_djangos_own_error(interface: Interface) -> None:
    with exceptions() as caught:
        assert interface.get(streaming(view_of(None))).status == 500
    assert "didn't return an HttpResponse" in str(caught[0])


@both_interfaces
def test_attributes_of_a_view_are_kept(interface: Interface) -> None:
    def view(request: HttpRequest) -> Any:
        return rows()

    view.csrf_exempt = True  # type: ignore[attr-defined]  # as csrf_exempt does
    view._non_atomic_requests = {"default"}  # type: ignore[attr-defined]  # as non_atomic_requests does
    decorated: Any = streaming(view)
    assert (decorated.csrf_exempt, decorated._non_atomic_requests) == (True, {"default"})
    assert decorated.__name__ == "view"


@both_interfaces
def test_several_headers_of_one_name_and_cookies_reach_the_client(interface: Interface) -> None:
    @streaming
    def view(request: HttpRequest) -> Any:
        headers = {
            "Set-Cookie": ["a=1; Path=/x; HttpOnly", "b=2"],
            "Link": ["</a>; rel=next", "</b>; rel=prev"],
            "Connection": "keep-alive",
        }
        return sa.Response(rows(), headers=headers)

    answer = interface.get(view)
    assert answer.header("Link") == ["</a>; rel=next, </b>; rel=prev"]
    assert sorted(cookie.strip() for cookie in answer.header("Set-Cookie")) == ["a=1; HttpOnly; Path=/x", "b=2"]
    assert not answer.header("Connection")


def test_a_cookie_that_django_cannot_carry_is_an_error() -> None:
    with pytest.raises(ValueError, match="Django cannot carry"):
        stream_response(rows(), headers={"Set-Cookie": "a=1; Unheard-Of"})


@both_interfaces
def test_a_body_that_is_known_has_its_length(interface: Interface) -> None:
    answer = interface.get(streaming(view_of(sa.Response(b"whole"))))
    assert (answer.header("Content-Length"), answer.body) == (["5"], b"whole")


@both_interfaces
def test_a_status_without_a_body_has_no_content_type(interface: Interface) -> None:
    answer = interface.get(streaming(view_of(sa.Response(rows(), status_code=204))))
    assert (answer.status, answer.body, answer.header("Content-Type")) == (204, b"", [])


@both_interfaces
def test_header_set_by_the_view_wins(interface: Interface) -> None:
    def view(request: HttpRequest) -> StreamResponse:
        response = stream_response(rows())
        response["Content-Type"] = "text/x-mine"
        response["X-Accel-Buffering"] = "yes"
        response.set_cookie("seen", "1")
        return response

    answer = interface.get(view)
    assert answer.header("Content-Type") == ["text/x-mine"]
    assert answer.header("X-Accel-Buffering") == ["yes"]
    assert answer.header("Set-Cookie")[0].strip().startswith("seen=1")


BY_FORMAT: dict[str, tuple[Any, str, bytes]] = {
    "sse": (streaming.sse(retry=None, end="over"), "text/event-stream", b"data: one \n\n"),
    "ndjson": (streaming.ndjson(), "application/x-ndjson", b'"one "\n"two"\n'),
    "json_array": (streaming.json_array(), "application/json", b'["one ","two"]'),
    "json_seq": (streaming.json_seq(), "application/json-seq", b'\x1e"two"\n'),
    "text": (streaming.text(), "text/plain; charset=utf-8", b"one two"),
    "html": (streaming.html(status_code=202), "text/html; charset=utf-8", b"one two"),
    "sse without parentheses": (streaming.sse, "text/event-stream", b"data: one \n\n"),
    "text without parentheses": (streaming.text, "text/plain; charset=utf-8", b"one two"),
}


@both_interfaces
@pytest.mark.parametrize(("decorator", "media_type", "body"), BY_FORMAT.values(), ids=BY_FORMAT)
@pytest.mark.parametrize("source", [rows, async_rows], ids=["sync", "async"])
def test_a_generator_view_has_the_options_of_its_format_where_it_is_written(
    interface: Interface, decorator: Any, source: Callable[[], Any], media_type: str, body: bytes
) -> None:
    answer = interface.get(decorator(view_of(source())))
    assert answer.header("Content-Type") == [media_type]
    assert body in answer.body


def test_a_bad_option_of_a_format_is_an_error_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"did you mean .*@streaming\.sse\(keepalive=…\)"):
        streaming(keepalive=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]  # must be refused
    with pytest.raises(ValueError, match="retry: expected"):
        streaming.sse(retry=-1)


def tag_of(request: HttpRequest) -> str:
    return '"v1"'


DECORATORS: dict[str, Any] = {
    "cache_page": cache_page(60),
    "condition": condition(etag_func=tag_of),
    "csrf_exempt": csrf_exempt,
    "ensure_csrf_cookie": ensure_csrf_cookie,
    "never_cache": never_cache,
    "require_GET": require_GET,
    "vary_on_headers": vary_on_headers("X-A"),
    "xframe_options_deny": xframe_options_deny,
}


@both_interfaces
@pytest.mark.parametrize("decorator", DECORATORS.values(), ids=DECORATORS)
@pytest.mark.parametrize("view", [is_generator, is_async_generator], ids=["sync", "async"])
def test_view_below_a_decorator_of_django_streams_as_without_it(
    interface: Interface, decorator: Any, view: Any
) -> None:
    plain, decorated = interface.get(streaming(view)), interface.get(decorator(streaming(view)))
    assert (decorated.status, decorated.blocks, decorated.complete) == (200, plain.blocks, True)
