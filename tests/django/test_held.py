"""The reader of a response gets all of it, held or not; and a response that is dropped is closed at once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import AsyncRequestFactory, RequestFactory

from stream_adapter_django import stream_response, streaming
from tests.django.support import view_of
from tests.django.test_middleware import shouting
from tests.support.interfaces import SOURCES, either_way


@pytest.fixture(autouse=True)
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def each_time(way: str) -> Callable[[HttpRequest], Any]:
    """Return a view that makes a source for each request."""

    def view(request: HttpRequest) -> Any:
        return SOURCES[way]([b"one ", b"two"])

    return view


@either_way
def test_a_response_that_nothing_holds_is_iterated_whole(way: str) -> None:
    assert sum(map(len, stream_response(SOURCES[way]([b"x"] * 1000)))) == 1000
    assert b"".join(stream_response(SOURCES[way]([b"one ", b"two"])).streaming_content) == b"one two"
    assert stream_response(SOURCES[way]([b"one ", b"two"])).getvalue() == b"one two"


@either_way
def test_a_view_that_is_called_by_hand_is_iterated_whole(way: str) -> None:
    view = streaming(each_time(way))
    request = RequestFactory().get("/")
    assert b"".join(view(request)) == b"one two"
    assert b"".join(shouting(view)(request)) == b"ONE TWO"
    assert b"".join(shouting(view)(request).streaming_content) == b"ONE TWO"


@either_way
def test_a_response_that_nothing_holds_is_iterated_whole_on_a_loop(way: str) -> None:
    async def run() -> None:
        assert [block async for block in stream_response(SOURCES[way]([b"one"]))] == [b"one"]
        request = AsyncRequestFactory().get("/")
        view = streaming(each_time(way))
        assert b"".join([block async for block in view(request).streaming_content]) == b"one two"
        assert b"".join([block async for block in shouting(view)(request)]) == b"ONE TWO"

    asyncio.run(run())


def test_iteration_may_be_taken_up_where_it_was_left() -> None:
    response = stream_response(iter([b"one", b"two"]))
    assert next(iter(response)) == b"one"
    assert next(iter(response)) == b"two"
    response.close()


@either_way
def test_a_response_that_is_dropped_closes_its_source_although_it_was_looked_at(way: str) -> None:
    def drop(look: Any) -> int:
        source = SOURCES[way]([b"one"])
        view = streaming(view_of(source))
        response = look(view)(HttpRequest())
        del response
        return source.closes

    def looks(view: Any) -> Any:
        def looking(request: HttpRequest) -> Any:
            response = view(request)
            assert response.streaming_content
            return response

        return looking

    assert drop(looks) == 1
    assert drop(shouting) == 1
