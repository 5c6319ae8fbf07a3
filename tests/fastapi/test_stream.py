"""The `Stream` dependency."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream, StreamAdapter, streaming
from tests.fastapi.support import strict_client_of


async def rows() -> AsyncIterator[str]:
    yield "a,b\n"


def test_stream_dependency_works_in_sync_and_async_views() -> None:
    app = FastAPI()

    @app.get("/sync")
    def view(stream: Stream) -> Response:
        return stream(rows(), media_type="text/csv")

    @app.get("/async")
    async def aview(stream: Stream) -> Response:
        return stream(rows(), media_type="text/csv")

    client = strict_client_of(app)

    for path in ("/sync", "/async"):
        answer = client.get(path)
        assert (answer.text, answer.headers["content-type"]) == ("a,b\n", "text/csv; charset=utf-8")


def test_stream_dependency_takes_a_response_and_fills_in_options() -> None:
    app = FastAPI()

    @app.get("/")
    async def view(stream: Stream) -> Response:
        return stream(sa.html(rows()), status_code=202)

    answer = strict_client_of(app).get("/")

    assert (answer.status_code, answer.headers["content-type"]) == (202, "text/html; charset=utf-8")


IDS = [(None, None), (b"7", "7"), ("été".encode(), "été")]


@pytest.mark.parametrize(("header", "seen"), IDS)
def test_stream_dependency_has_the_last_event_id(header: bytes | None, seen: str | None) -> None:
    app, ids = FastAPI(), list[str | None]()

    @app.get("/")
    async def view(stream: Stream) -> Response:
        ids.append(stream.last_event_id)
        return stream(sa.sse(rows()))

    strict_client_of(app).get("/", headers={} if header is None else {b"Last-Event-ID": header})

    assert ids == [seen]


async def cookie(response: Response) -> None:
    response.set_cookie("from", "dependency")
    response.headers["x-both"] = "dependency"
    response.status_code = 203


@pytest.mark.parametrize("way", ["Stream", "@streaming", "StreamAdapter"])
def test_headers_and_status_set_by_a_dependency_are_sent(way: str) -> None:
    app = FastAPI(dependencies=[Depends(cookie)])
    content = sa.Response(rows(), headers={"X-Both": "view", "Set-Cookie": "from=view"})

    if way == "Stream":

        @app.get("/")
        async def view(stream: Stream) -> Response:
            return stream(content)

    elif way == "@streaming":

        @app.get("/")
        @streaming
        async def decorated() -> sa.Response:
            return content

    else:
        router = APIRouter()
        router.add_api_route("/", lambda: content, response_model=None)
        app.include_router(router)
        StreamAdapter(app)

    answer = strict_client_of(app).get("/")

    assert answer.status_code == 203
    assert answer.headers.get_list("x-both") == ["view"]
    cookies = [value.split(";")[0] for value in answer.headers.get_list("set-cookie")]
    assert cookies == ["from=view", "from=dependency"]


def test_the_status_of_the_route_holds_unless_the_view_says_otherwise() -> None:
    app = FastAPI()

    @app.get("/route", status_code=201)
    @streaming
    def of_route() -> Iterator[str]:
        yield "a"

    @app.get("/view", status_code=201)
    @streaming(status_code=202)
    def of_view() -> Iterator[str]:
        yield "a"

    client = strict_client_of(app)

    assert [client.get(path).status_code for path in ("/route", "/view")] == [201, 202]


async def connection() -> AsyncIterator[list[str]]:
    events = ["open"]
    yield events
    events.append("closed")


def test_dependencies_may_be_overridden() -> None:
    app = FastAPI()

    async def other() -> AsyncIterator[list[str]]:
        yield ["other"]

    @app.get("/stream")
    async def view(stream: Stream, using: Annotated[list[str], Depends(connection)]) -> Response:
        return stream(iter(using))

    @app.get("/streaming")
    @streaming
    def decorated(using: Annotated[list[str], Depends(connection)]) -> Any:
        return iter(using)

    client = strict_client_of(app)
    before = [client.get(path).text for path in ("/stream", "/streaming")]
    app.dependency_overrides[connection] = other
    after = [client.get(path).text for path in ("/stream", "/streaming")]

    assert (before, after) == (["open", "open"], ["other", "other"])


def test_lifespan_runs_with_an_adapter() -> None:
    events = list[str]()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        events.append("started")
        yield
        events.append("stopped")

    app = FastAPI(lifespan=lifespan)
    StreamAdapter(app)
    app.get("/", response_model=None)(lambda: iter("a"))

    with strict_client_of(app) as client:
        assert client.get("/").text == "a"

    assert events == ["started", "stopped"]


def test_stream_that_is_called_without_a_request_is_an_error_that_says_how_it_is_used() -> None:
    make: Any = Stream
    with pytest.raises(TypeError, match=r"^Stream: .* got list_iterator; annotate .* stream_response\(…\)$"):
        make(iter([1]))


@pytest.mark.parametrize(
    ("scope", "order"), [("request", ["source", "dependency"]), ("function", ["dependency", "source"])]
)
@pytest.mark.parametrize("way", ["decorated", "by Stream"])
def test_dependency_closes_after_the_source_unless_its_scope_is_the_function(
    way: str, scope: Any, order: list[str]
) -> None:
    app, closed = FastAPI(), list[str]()

    def dependency() -> Iterator[None]:
        yield
        closed.append("dependency")

    async def source() -> AsyncIterator[str]:
        yield "a"
        closed.append("source")

    opened = [Depends(dependency, scope=scope)]

    @app.get("/decorated", dependencies=opened)
    @streaming
    async def decorated() -> Any:
        return source()

    @app.get("/by Stream", dependencies=opened)
    async def by_stream(stream: Stream) -> Response:
        return stream(source())

    assert strict_client_of(app).get(f"/{way}").text == "a"
    assert closed == order
