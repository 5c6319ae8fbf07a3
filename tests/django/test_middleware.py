"""The app-wide adapter, and the middleware that others bring."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse
from django.urls import include, reverse
from django.utils.decorators import decorator_from_middleware

import stream_adapter as sa
import stream_adapter_django
from stream_adapter_django import StreamResponse, last_event_id, path, re_path, stream_response, streaming
from tests.django.support import ADAPTER, Interface, both_interfaces, urlconf, view_of
from tests.support.interfaces import SOURCES, either_way

STOCK = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
SESSIONS = "django.contrib.sessions.backends.signed_cookies"


def rows(request: HttpRequest) -> Iterator[str]:
    yield "one "
    yield "two"


def sync_only(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Middleware of the plainest kind, for which Django leaves the loop."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        response["X-Sync"] = "yes"
        response.set_cookie("sync", "yes")
        return response

    return middleware


class AsyncOnly:
    """Middleware for which Django leaves the thread."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> Any:
        response = await self.get_response(request)
        response["X-Async"] = "yes"
        return response


class OtherRoutes:
    """Middleware that leads a request elsewhere."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):  # pyright: ignore[reportDeprecated]  # inspect's does not see the mark
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        request.urlconf = OTHER  # type: ignore[assignment]  # django-stubs knows of names only
        return self.get_response(request)


OTHER = urlconf([path("", rows)])


happened: list[str] = []


def shouting(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Sync middleware that replaces the content, of whichever kind, as Django's documentation tells it to."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        content = response.streaming_content

        def shout() -> Iterator[bytes]:
            try:
                for block in content:
                    yield block.upper()
            finally:
                happened.append("the replacement was closed")

        async def async_shout() -> AsyncIterator[bytes]:
            try:
                async for block in content:
                    yield block.upper()
            finally:
                happened.append("the replacement was closed")

        response.streaming_content = async_shout() if response.is_async else shout()
        return response

    return middleware


def truncating(get_response: Callable[[HttpRequest], Any]) -> Any:
    """Middleware that throws the content away."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        response.streaming_content = [b"short"]
        return response

    return middleware


def named(*functions: Any) -> list[str]:
    return [f"{__name__}.{function.__name__}" for function in functions]


@both_interfaces
def test_defaults_are_those_of_the_setting(interface: Interface) -> None:
    answer = interface.get(
        rows, middleware=[ADAPTER], STREAM_ADAPTER={"media_type": "text/csv", "headers": {"X-All": "1"}}
    )
    assert answer.header("Content-Type") == ["text/csv; charset=utf-8"]
    assert answer.header("X-All") == ["1"]


@both_interfaces
def test_setting_fills_in_options_of_a_decorated_view(interface: Interface) -> None:
    answer = interface.get(streaming(rows), middleware=[ADAPTER], STREAM_ADAPTER={"headers": {"X-All": "1"}})
    assert answer.header("X-All") == ["1"]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"sttus": 1}, "unknown option 'sttus'"),
        ({"status_code": 99}, "200 to 599"),
        ("text", "expected a dict of options, got str"),
    ],
)
def test_a_bad_setting_is_refused_at_the_start(setting: Any, problem: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"STREAM_ADAPTER: .*{problem}"):
        Interface("wsgi").get(rows, middleware=[ADAPTER], STREAM_ADAPTER=setting)


@pytest.mark.parametrize("protocol", ["asgi", "wsgi"])
def test_middleware_for_applications_is_refused_in_the_setting_and_names_the_adapter(protocol: str) -> None:
    with pytest.raises(TypeError, match=r"in Django's MIDDLEWARE write stream_adapter_django\.StreamAdapter$"):
        Interface("wsgi").get(rows, middleware=[f"stream_adapter.{protocol}.StreamAdapterMiddleware"])


@pytest.mark.parametrize("middleware", [[], STOCK], ids=["none", "stock"])
def test_response_of_an_undecorated_view_is_an_error_that_says_what_to_write(
    middleware: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = Interface("wsgi").get(view_of(sa.ndjson([1])), middleware=middleware, SESSION_ENGINE=SESSIONS)
    assert "put @streaming on the view, or return stream_response(…)" in f"{answer.error} {caplog.text}"


@both_interfaces
def test_included_routes_are_adapted(interface: Interface) -> None:
    inner: tuple[list[Any], str] = ([re_path("^$", rows)], "inner")
    nested = [path("", include(inner, namespace="inner"))]
    assert interface.get([path("", include(nested))], middleware=[ADAPTER]).body == b"one two"


@both_interfaces
def test_the_urlconf_that_a_middleware_sets_is_adapted(interface: Interface) -> None:
    assert interface.get([], middleware=[*named(OtherRoutes), ADAPTER]).body == b"one two"


@both_interfaces
def test_reverse_still_finds_a_view_and_resolver_match_names_it(interface: Interface) -> None:
    def view(request: HttpRequest) -> Any:
        assert request.resolver_match is not None
        yield f"{reverse(view)} {request.resolver_match.view_name}"

    answer = interface.get([path("here/", rows), path("", view)], middleware=[ADAPTER])
    assert answer.body.startswith(b"/ tests.django.test_middleware.")
    assert answer.body.endswith(b".view")


@both_interfaces
@either_way
@pytest.mark.parametrize("others", [[sync_only], [AsyncOnly], [sync_only, AsyncOnly, sync_only]], ids=len)
def test_adapter_works_at_any_place_in_middleware(interface: Interface, way: str, others: list[Any]) -> None:
    for middleware in ([ADAPTER, *named(*others)], [*named(*others), ADAPTER]):
        source = SOURCES[way]([b"one ", b"two"])
        answer = interface.get(view_of(source), middleware=middleware)
        assert (answer.body, source.closes) == (b"one two", 1)
        assert bool(answer.header("X-Sync")) == (sync_only in others)
        assert bool(answer.header("X-Async")) == (AsyncOnly in others)
        assert bool(answer.header("Set-Cookie")) == (sync_only in others)


@both_interfaces
@either_way
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_djangos_middleware_keeps_working(interface: Interface, way: str, compressed: bool) -> None:
    source = SOURCES[way](["one ", "two"])

    async def view(request: HttpRequest) -> Any:
        await request.session.aset("visits", 1)
        return source

    answer = interface.get(
        view,
        middleware=[*STOCK, ADAPTER],
        headers=[("Accept-Encoding", "gzip")] if compressed else [],
        SESSION_ENGINE=SESSIONS,
    )
    assert (gzip.decompress(answer.body) if compressed else answer.body) == b"one two"
    assert answer.header("Content-Encoding") == (["gzip"] if compressed else [])
    assert answer.header("X-Content-Type-Options") == ["nosniff"]
    assert answer.header("X-Frame-Options") == ["DENY"]
    assert any(cookie.strip().startswith("sessionid=") for cookie in answer.header("Set-Cookie"))
    assert not answer.header("Content-Length")
    assert source.closes == 1


@both_interfaces
@either_way
def test_a_sync_middleware_may_replace_the_content(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"one ", b"two"])
    answer = interface.get(streaming(view_of(source)), middleware=named(shouting))
    assert (answer.body, source.closes) == (b"ONE TWO", 1)


@both_interfaces
@either_way
def test_a_decorator_may_replace_the_content_before_it_is_rendered(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"one ", b"two"])
    view = streaming(view_of(source))
    answer = interface.get(shouting(view))
    assert (answer.status, answer.body, source.closes) == (200, b"ONE TWO", 1)
    failing = shouting(streaming(view_of(SOURCES[way]([PermissionDenied("no")]))))
    assert interface.get(failing).status == 403


@both_interfaces
@either_way
def test_client_disconnect_closes_a_source_whose_content_was_replaced(interface: Interface, way: str) -> None:
    def finish(**_: object) -> None:
        happened.append("the request was finished")

    def view(request: HttpRequest) -> StreamResponse:
        return stream_response(source, on_close=lambda _: happened.append("the source was closed"))

    happened.clear()
    source = SOURCES[way](iter(lambda: b"x", b""))
    request_finished.connect(finish)
    try:
        interface.get(streaming(view), middleware=named(shouting), leave_after=2)
    finally:
        request_finished.disconnect(finish)
    closed = ["the replacement was closed", "the source was closed"]
    assert happened == [*(closed if interface.name == "asgi" else closed[::-1]), "the request was finished"]
    assert source.closes == 1


@both_interfaces
@either_way
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")  # Django's, for a list
def test_source_is_closed_when_middleware_replaces_the_content(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"one ", b"two"])
    answer = interface.get(streaming(view_of(source)), middleware=named(truncating))
    assert (answer.body, source.closes) == (b"short", 1)


@both_interfaces
@either_way
def test_a_conditional_request_is_answered_304_and_the_source_is_closed(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"one ", b"two"])
    view = streaming(headers={"ETag": '"v1"'})(view_of(source))
    answer = interface.get(view, middleware=STOCK[3:4], headers=[("If-None-Match", '"v1"')])
    assert (answer.status, answer.body, source.closes) == (304, b"", 1)


@both_interfaces
@either_way
def test_cors_headers_reach_the_client(interface: Interface, way: str) -> None:
    pytest.importorskip("corsheaders")
    source = SOURCES[way]([b"one"])
    answer = interface.get(
        streaming(view_of(source)),
        middleware=["corsheaders.middleware.CorsMiddleware"],
        headers=[("Origin", "https://example.org")],
        CORS_ALLOW_ALL_ORIGINS=True,
    )
    assert answer.header("Access-Control-Allow-Origin") == ["*"]
    assert (answer.body, source.closes) == (b"one", 1)


@both_interfaces
def test_a_middleware_made_a_decorator_works_on_a_streaming_view(interface: Interface) -> None:
    class Stamp:
        def __init__(self, get_response: Any) -> None:
            pass

        def process_template_response(self, request: HttpRequest, response: Any) -> Any:
            assert (response.template_name, response.context_data) == (None, None)
            return response

        def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
            response["X-Stamp"] = response["Content-Type"]
            return response

    answer = interface.get(decorator_from_middleware(Stamp)(streaming(rows)))
    assert (answer.body, answer.header("X-Stamp")) == (b"one two", ["text/plain; charset=utf-8"])


@both_interfaces
def test_last_event_id_is_read_from_the_request(interface: Interface) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        events = [sa.ServerSentEvent(last_event_id(request), id="8")]
        return stream_response(sa.sse(events, retry=None))  # type: ignore[return-value]  # a StreamingHttpResponse

    assert interface.get(view, headers=[("Last-Event-ID", "7")]).body == b"id: 8\ndata: 7\n\n"
    assert interface.get(view).body == b"id: 8\n\n"


def test_the_example_of_the_package_runs() -> None:
    docstring = stream_adapter_django.__doc__ or ""
    block = docstring.partition("::\n\n")[2].partition("\n\n`")[0]
    code = "\n".join(line.removeprefix("    ") for line in block.splitlines())
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(code.replace("sleep(1)", "sleep(0)"), namespace)
    body = Interface("asgi").get(namespace["ticks"]).body
    assert body.splitlines() == [f"{number} at /".encode() for number in range(5)]
