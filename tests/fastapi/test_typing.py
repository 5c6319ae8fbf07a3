"""What a type checker knows of the public names: mypy and pyright read this file, and pytest runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, assert_type

import pytest
from fastapi import FastAPI, Response

from stream_adapter_fastapi import Stream, StreamAdapter, StreamRouter, stream_response, streaming
from tests.fastapi.support import strict_client_of


def rows(count: int) -> Iterator[str]:
    yield from "abc"[:count]


async def arows() -> AsyncIterator[str]:
    yield "a"


def test_a_stream_makes_responses_and_knows_its_options() -> None:
    app = FastAPI()

    @app.get("/")
    async def view(stream: Stream) -> Response:
        assert_type(stream.last_event_id, str | None)
        with pytest.raises(TypeError, match="colour"):
            stream(rows(1), colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # must be refused
        return stream(rows(3), media_type="text/csv", status_code=202)

    assert strict_client_of(app).get("/").status_code == 202


def test_the_decorator_keeps_the_parameters() -> None:
    counted: Callable[[int], Any] = streaming(rows)
    # it must be refused, which mypy says of an ignore that nothing needs
    uncounted: Callable[[], Any] = streaming(rows)  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]
    assert counted.__name__ == uncounted.__name__ == "rows"
    assert_type(streaming(media_type="text/csv")(arows), Callable[[], Any])

    with pytest.raises(TypeError, match="colour"):
        streaming(colour="red")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]  # must be refused


def test_the_routes_of_a_router_and_of_an_adapter_take_streaming_and_leave_the_view_as_it_is() -> None:
    app, router = FastAPI(), StreamRouter(prefix="/router", tags=["rows"])
    adapter = StreamAdapter(app, media_type="text/csv")

    def view() -> Iterator[str]:
        return rows(3)

    assert_type(router.get("/", streaming=True)(view), Callable[[], Iterator[str]])
    assert_type(adapter.post("/", streaming=True, status_code=201)(view), Callable[[], Iterator[str]])
    router.get("/other", streaming="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # must be refused
    app.include_router(router)

    assert strict_client_of(app).post("/").status_code == 201


def test_a_stream_response_is_a_response() -> None:
    def view() -> Response:
        return stream_response(rows(3))

    assert view().status_code == 200
