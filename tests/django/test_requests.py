"""How a response learns its request: from its view's argument, from `request=`, from what Django announces."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin import action
from django.http import HttpRequest
from django.test import AsyncRequestFactory, RequestFactory

import stream_adapter as sa
from stream_adapter_django import StreamResponse, stream_response, streaming
from tests.django.support import ADAPTER, Interface, both_interfaces
from tests.support.interfaces import SOURCES, either_way


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "video.mp4"
    file.write_bytes(b"0123456789")
    return file


@both_interfaces
@pytest.mark.parametrize("mode", ["announced", "adapter", "argument"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync view", "async view"])
def test_stream_response_in_a_plain_view_knows_its_request(
    interface: Interface, mode: str, is_async: bool, video: Path
) -> None:
    def view(request: HttpRequest) -> StreamResponse:
        return stream_response(sa.file(video), request=request if mode == "argument" else None)

    async def async_view(request: HttpRequest) -> StreamResponse:
        return view(request)

    middleware = [ADAPTER] if mode == "adapter" else []
    asked = async_view if is_async else view
    part = interface.get(asked, middleware=middleware, headers=[("Range", "bytes=0-3")])
    assert (part.status, part.body) == (206, b"0123")
    tag = part.header("ETag")[0]
    assert interface.get(asked, middleware=middleware, headers=[("If-None-Match", tag)]).status == 304


@both_interfaces
@either_way
def test_head_does_not_start_the_source_of_stream_response(interface: Interface, way: str) -> None:
    source = SOURCES[way]([b"never"])

    def view(request: HttpRequest) -> StreamResponse:
        return stream_response(source)

    answer = interface.get(view, method="HEAD")
    assert (answer.status, source.steps, source.closes) == (200, 0, 1)


@both_interfaces
def test_the_format_of_stream_response_is_negotiated(interface: Interface) -> None:
    def view(request: HttpRequest) -> StreamResponse:
        return stream_response({"n": n} for n in range(2))

    answer = interface.get(view, headers=[("Accept", "text/event-stream")])
    assert answer.header("Content-Type") == ["text/event-stream"]


def test_request_of_stream_response_is_released_when_the_request_is_finished() -> None:
    def view(request: HttpRequest) -> StreamResponse:
        return stream_response(iter(["a"]))

    Interface("wsgi").get(view, method="HEAD")
    assert b"".join(stream_response(iter(["a"]))) == b"a"


def test_request_argument_that_is_not_a_request_is_an_error() -> None:
    with pytest.raises(TypeError, match="request: expected a request of Django, got str"):
        stream_response(iter(["a"]), request="/")


@streaming
async def export(model_admin: Any, request: HttpRequest, queryset: Any) -> Any:
    async for row in queryset:
        yield row


class Admin:
    """What an admin class is to an action of its own."""

    @action(description="export")
    @streaming
    async def export(self, request: HttpRequest, queryset: Any) -> Any:
        async for row in queryset:
            yield row

    @action(description="export")
    @streaming
    def sync_export(self, request: HttpRequest, queryset: Any) -> Any:
        yield b"a"


@pytest.mark.parametrize("factory", [RequestFactory, AsyncRequestFactory])
def test_an_admin_action_that_yields_returns_a_response(factory: Any) -> None:
    """The admin calls an action, sync or not, and redirects unless it gets a response."""
    request = factory().post("/")
    admin: Any = Admin()
    for response in (
        export(None, request, SOURCES["async"]([b"a"])),
        admin.export(request, SOURCES["async"]([b"a"])),
        admin.sync_export(request, ()),
    ):
        assert isinstance(response, StreamResponse)
        response.close()
    action_of_class: Any = vars(Admin)["export"]
    assert (action_of_class.short_description, action_of_class.__name__) == ("export", "export")


def test_a_decorated_async_generator_may_still_be_awaited() -> None:
    async def call() -> None:
        response = await export(None, AsyncRequestFactory().get("/"), SOURCES["async"]([b"a"]))
        assert isinstance(response, StreamResponse)
        assert [block async for block in response] == [b"a"]

    asyncio.run(call())
