"""Django's own test clients read our responses as they read Django's; the testing kit reads those that do not end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.test import AsyncClient, Client, override_settings
from django.urls import path

import stream_adapter as sa
from stream_adapter.testing import assert_closes, events, stream_client
from stream_adapter_django import streaming
from tests.django.support import urlconf
from tests.support.interfaces import SOURCES, either_way

HANDLERS: dict[str, Callable[[], Any]] = {"wsgi": WSGIHandler, "asgi": ASGIHandler}


def view_of(make: Callable[[], Any]) -> Callable[[HttpRequest], Any]:
    @streaming
    def view(request: HttpRequest) -> Any:
        return make()

    return view


@either_way
def test_the_sync_client_reads_a_stream_and_closes_its_source(way: str) -> None:
    source = SOURCES[way]([b"a", b"b"])
    with override_settings(ROOT_URLCONF=urlconf([path("", view_of(lambda: sa.Response(source)))])):
        response: Any = Client().get("/")
        assert (response.status_code, response.getvalue()) == (200, b"ab")
        response.close()
    assert source.closes == 1


@either_way
def test_the_async_client_reads_a_stream_and_its_source_is_closed(way: str) -> None:
    source = SOURCES[way]([b"a", b"b"])

    async def test() -> None:
        response: Any = await AsyncClient().get("/")
        assert b"".join([chunk async for chunk in response]) == b"ab"

    with override_settings(ROOT_URLCONF=urlconf([path("", view_of(lambda: sa.Response(source)))])):
        asyncio.run(test())
    assert source.closes == 1


@either_way
@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_stream_client_reads_an_endless_stream(way: str, handler: Callable[[], Any]) -> None:
    def endless() -> sa.Response:
        return sa.sse(SOURCES[way](map(str, itertools.count())))

    with override_settings(ROOT_URLCONF=urlconf([path("", view_of(endless))])):
        with stream_client(handler()) as client, client.stream("GET", "/") as response:
            assert [next(events(response)).data for _ in range(3)] == ["0", "1", "2"]
        assert_closes(handler(), "/")
