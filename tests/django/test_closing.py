"""The source is closed once, whatever becomes of the response, and without the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Coroutine, Iterator
from contextvars import ContextVar
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync, markcoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

import stream_adapter as sa
from stream_adapter.types import Message
from stream_adapter_django import StreamResponse, stream_response, streaming
from tests.django.support import Interface, both_interfaces, urlconf, view_of
from tests.support.gate import BOUND
from tests.support.interfaces import SOURCES, either_way
from tests.support.sources import AsyncCountingSource


@pytest.fixture(autouse=True, scope="module")
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def drops(get_response: Any) -> Any:
    """Middleware that puts another response in place of the view's."""

    def middleware(request: HttpRequest) -> HttpResponse:
        get_response(request)
        return HttpResponse("another")

    return middleware


def raises(get_response: Any) -> Any:
    """Middleware that fails once the view has answered."""

    def middleware(request: HttpRequest) -> HttpResponse:
        get_response(request)
        raise LookupError("of the middleware")

    return middleware


HAS_RESPONSE: ContextVar[asyncio.Event] = ContextVar("HAS_RESPONSE")


class Holds:
    """Middleware that has the response, and never lets it go."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> Any:
        response = await self.get_response(request)
        HAS_RESPONSE.get().set()
        await asyncio.Future()
        return response


def run_without_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what awaits nothing."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def returns_unrendered(get_response: Any) -> Any:
    """Middleware that answers with a stream of its own, which Django does not render."""

    def middleware(request: HttpRequest) -> StreamResponse:
        return stream_response(get_response(request).source)

    return middleware


@both_interfaces
@either_way
def test_source_is_closed_once_at_the_end(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"one"])
    assert interface.get(streaming(view_of(source))).body == b"one"
    assert source.closes == 1


@both_interfaces
@either_way
def test_source_is_closed_once_on_disconnect(interface: Interface, way: str) -> None:
    source = SOURCES[way](iter(lambda: b"x", b""))
    answer = interface.get(streaming(view_of(source)), leave_after=2)
    assert not answer.complete
    assert source.closes == 1


class SlowToClose(AsyncCountingSource):
    """A source whose close takes a while: a hundred turns of the loop."""

    async def aclose(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        await super().aclose()


@both_interfaces
def test_disconnect_does_not_cancel_the_close_of_the_source(interface: Interface) -> None:
    for items in (iter(lambda: b"x", b""), [b"the only one"]):
        source = SlowToClose(items)
        interface.get(streaming(view_of(source)), leave_after=1)
        assert source.closes == 1


@both_interfaces
@either_way
def test_on_close_gets_done_or_disconnect(interface: Interface, way: str) -> None:
    reasons: list[str] = []
    for leave_after in (None, 1):
        source = SOURCES[way]([b"x"] if leave_after is None else iter(lambda: b"x", b""))
        view = streaming(on_close=lambda summary: reasons.append(summary.reason))(view_of(source))
        interface.get(view, leave_after=leave_after)
    assert reasons == ["done", "disconnect"]


@both_interfaces
@either_way
@pytest.mark.parametrize("middleware", [drops, raises], ids=lambda function: function.__name__)
def test_source_is_closed_when_middleware_drops_the_response(interface: Interface, way: str, middleware: Any) -> None:
    source = SOURCES[way]([b"one", b"two"])
    answer = interface.get(streaming(view_of(source)), middleware=[f"{__name__}.{middleware.__name__}"])
    assert answer.status == (200 if middleware is drops else 500)
    assert source.closes == 1


@either_way
def test_source_is_closed_on_disconnect_during_middleware(way: str) -> None:
    """Django drops a response whose request it cancels, and closes nothing."""
    source = SOURCES[way]([b"one", b"two"])
    gone, closed = asyncio.Event(), asyncio.Event()
    view = streaming(on_close=lambda _: closed.set())(view_of(source))
    requests: list[Message] = [{"type": "http.request"}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await HAS_RESPONSE.get().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nothing is sent")

    async def run() -> None:
        HAS_RESPONSE.set(gone)
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.create_task(ASGIHandler()(scope, receive, send))  # as servers do: a task a request
        await asyncio.wait_for(closed.wait(), BOUND)

    with override_settings(ROOT_URLCONF=urlconf([path("", view)]), MIDDLEWARE=[f"{__name__}.Holds"]):
        asyncio.run(run())
    assert source.closes == 1


@either_way
def test_source_of_unrendered_response_is_closed_with_it(way: str) -> None:
    source = SOURCES[way]([b"never"])
    response = stream_response(source)
    response.close()
    response.close()
    assert (source.steps, source.closes) == (0, 1)


@either_way
@pytest.mark.parametrize("on_a_loop", [False, True], ids=["thread", "loop"])
def test_source_is_closed_when_content_was_read_but_not_iterated(way: str, on_a_loop: bool) -> None:
    source = SOURCES[way]([b"never"])

    async def look() -> None:
        response = stream_response(source)
        assert response.is_async == on_a_loop
        assert response.streaming_content is response.streaming_content
        response.close()

    asyncio.run(look()) if on_a_loop else run_without_loop(look())
    assert (source.steps, source.closes) == (0, 1)


@both_interfaces
@either_way
def test_stream_returned_by_middleware_is_closed(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"one ", b"two"])

    def view(request: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        response.source = source  # type: ignore[attr-defined]  # for the middleware
        return response

    answer = interface.get(view, middleware=[f"{__name__}.returns_unrendered"])
    assert (answer.body, answer.header("Content-Type")) == (b"one two", ["text/plain"])
    assert source.closes == 1


@either_way
def test_djangos_test_client_closes_the_source(way: str) -> None:
    source = SOURCES[way]([b"one ", b"two"])
    with override_settings(ROOT_URLCONF=urlconf([path("", streaming(view_of(source)))])):
        response: Any = Client().get("/")
        assert response.getvalue() == b"one two"
    assert source.closes == 1


@either_way
def test_closing_the_test_clients_response_closes_the_source(way: str) -> None:
    source = SOURCES[way](iter(lambda: b"x", b""))
    with override_settings(ROOT_URLCONF=urlconf([path("", streaming(view_of(source)))])):
        response: Any = Client().get("/")
        assert next(iter(response)).startswith(b"x")
        response.close()
    assert source.closes == 1


@either_way
@pytest.mark.parametrize("runner", ["asyncio", "asgiref"])
def test_djangos_async_test_client_closes_the_source(way: str, runner: str) -> None:
    source = SOURCES[way]([b"one ", b"two"])

    async def run() -> bytes:
        response: Any = await AsyncClient().get("/")
        return b"".join([block async for block in response])

    with override_settings(ROOT_URLCONF=urlconf([path("", streaming(view_of(source)))])):
        assert (asyncio.run(run()) if runner == "asyncio" else async_to_sync(run)()) == b"one two"
    assert source.closes == 1


@either_way
@pytest.mark.parametrize("by", ["the response", "its iterator"])
def test_closing_the_async_test_clients_response_closes_the_source(way: str, by: str) -> None:
    closed = asyncio.Event()
    source = SOURCES[way](iter(lambda: b"x", b""))
    view = streaming(on_close=lambda _: closed.set())(view_of(source))

    async def run() -> None:
        response: Any = await AsyncClient().get("/")
        content = aiter(response)
        assert (await anext(content)).startswith(b"x")
        if by == "the response":
            response.close()
            await asyncio.wait_for(closed.wait(), BOUND)
        else:
            await content.aclose()
            assert closed.is_set()

    with override_settings(ROOT_URLCONF=urlconf([path("", view)])):
        asyncio.run(run())
    assert source.closes == 1


def test_a_render_callback_that_fails_closes_the_stream() -> None:
    def fail(response: HttpResponse) -> None:
        raise LookupError("of the callback")

    def view(request: HttpRequest) -> HttpResponse:
        response: Any = stream_response(source)
        response.add_post_render_callback(fail)
        return response  # type: ignore[no-any-return]  # HttpResponse has no such method

    for interface in ("wsgi", "asgi"):
        source = SOURCES["sync"]([b"one", b"two"])
        assert Interface(interface).get(view).status == 500
        assert source.closes == 1


def test_a_response_is_rendered_once() -> None:
    source = SOURCES["sync"]([b"one", b"two"])
    response = stream_response(sa.Response(source))
    assert response.render() is response
    assert response.render() is response
    assert response.is_rendered
    seen: list[object] = []
    response.add_post_render_callback(seen.append)
    assert seen == [response]
    assert list(response) == [b"one", b"two"]
    response.close()
    assert (source.steps, source.closes) == (3, 1)


@both_interfaces
@either_way
def test_stream_that_has_ended_is_freed_without_the_garbage_collector(interface: Interface, way: str) -> None:
    if interface.name == "asgi" and django.VERSION >= (6, 0):
        pytest.skip("Django 6 keeps each response in a cycle with the exception that ends its group of tasks")
    made: list[weakref.ref[sa.Response]] = []

    def view(request: HttpRequest) -> Any:
        response = sa.Response(SOURCES[way](["a", "b"]))
        made.append(weakref.ref(response))
        return response

    assert interface.get(streaming(view)).body == b"ab"
    assert [stream() for stream in made] == [None]
