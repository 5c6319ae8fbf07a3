"""The response: what is set on it before it is called is sent, and its source is closed however it goes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Response
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.routing import Mount, Route

import stream_adapter as sa
from stream_adapter.types import Chunk
from stream_adapter_fastapi import Stream, StreamAdapter, stream_response, streaming
from tests.fastapi.support import client_of, strict_client_of
from tests.support.sources import AsyncCountingSource, CountingSource

Source = CountingSource | AsyncCountingSource
in_both_ways = pytest.mark.parametrize("kind", [CountingSource, AsyncCountingSource], ids=["sync", "async"])


@pytest.fixture(autouse=True)
def _without_gc() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def app_of(respond: Callable[[], Awaitable[Any]], **options: Any) -> FastAPI:
    app = FastAPI(**options)
    app.api_route("/", methods=["GET", "HEAD"], response_model=None)(respond)
    return app


def test_headers_and_status_set_on_the_stream_response_are_sent() -> None:
    async def view() -> Response:
        response = stream_response(iter("ab"), headers={"X-Gone": "1", "X-Changed": "1", "Set-Cookie": "own=1"})
        response.status_code = 202
        response.headers["x-changed"] = "2"
        response.headers["content-type"] = "text/markdown"
        response.set_cookie("added", "1")
        response.raw_headers.append((b"x-raw", b"1"))
        del response.headers["x-gone"]
        return response

    answer = strict_client_of(app_of(view)).get("/")

    assert answer.status_code == 202
    assert answer.headers["x-changed"] == "2"
    assert answer.headers["x-raw"] == "1"
    assert answer.headers["content-type"] == "text/markdown"
    assert "x-gone" not in answer.headers
    assert [cookie.split(";")[0] for cookie in answer.headers.get_list("set-cookie")] == ["own=1", "added=1"]


def test_the_headers_of_the_format_are_added_and_never_doubled() -> None:
    async def view() -> Response:
        return stream_response(sa.sse(iter("a")), headers={"Connection": "keep-alive", "Cache-Control": "no-cache"})

    headers = strict_client_of(app_of(view)).get("/").headers

    assert headers["content-type"] == "text/event-stream"
    assert headers.get_list("cache-control") == ["no-cache"]
    assert "connection" not in headers


@in_both_ways
def test_a_header_that_no_server_may_send_is_an_error_before_the_first_item(kind: type[Source]) -> None:
    source = kind("ab")

    async def view() -> Response:
        response = stream_response(source)
        response.raw_headers.append((b"x-evil", b"a\r\nset-cookie: b"))
        return response

    assert client_of(app_of(view)).get("/").status_code == 500
    assert (source.steps, source.closes) == (0, 1)


@in_both_ways
def test_the_source_is_closed_once_at_the_end(kind: type[Source]) -> None:
    source = kind("ab")

    async def view() -> Response:
        return stream_response(source)

    assert strict_client_of(app_of(view)).get("/").text == "ab"
    assert source.closes == 1


@in_both_ways
@pytest.mark.parametrize("steps", [0, 2], ids=["before the first item", "after two"])
def test_the_source_is_closed_once_when_it_fails(kind: type[Source], steps: int) -> None:
    source = kind([*"ab"[:steps], RuntimeError("secret")])

    async def view() -> Response:
        return stream_response(source)

    with pytest.raises(RuntimeError, match="secret"):
        strict_client_of(app_of(view)).get("/")
    assert source.closes == 1


@in_both_ways
def test_head_is_answered_without_a_step_and_closes_the_source(kind: type[Source]) -> None:
    source = kind("ab")

    async def view() -> Response:
        return stream_response(source, media_type="text/csv")

    answer = strict_client_of(app_of(view)).head("/")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert (source.steps, source.closes) == (0, 1)


@in_both_ways
def test_a_stream_that_the_view_did_not_return_is_closed_with_the_request(kind: type[Source]) -> None:
    source, reasons = kind("ab"), list[str]()
    app = FastAPI()

    @app.get("/")
    async def view(stream: Stream) -> Response:
        stream(source, on_close=lambda summary: reasons.append(summary.reason))
        raise HTTPException(403)

    assert strict_client_of(app).get("/").status_code == 403
    assert (source.steps, source.closes, reasons) == (0, 1, ["not_started"])


def test_a_response_whose_source_can_be_read_again_can_be_called_again() -> None:
    closings = list[str]()
    response = stream_response(["a", "b"], on_close=lambda summary: closings.append(summary.reason))

    async def view() -> Response:
        return response

    client = strict_client_of(app_of(view))

    assert [client.get("/").text for _ in range(2)] == ["ab", "ab"]
    assert closings == ["done", "done"]


def test_a_generator_cannot_be_streamed_twice() -> None:
    response = stream_response(iter("ab"))

    async def view() -> Response:
        return response

    client = strict_client_of(app_of(view))
    client.get("/")

    with pytest.raises(sa.StreamConsumedError):
        client.get("/")


def refusing() -> Iterator[Chunk]:
    raise HTTPException(403, "not yours", headers={"X-Why": "because"})
    yield


async def arefusing() -> AsyncIterator[Chunk]:
    raise HTTPException(403, "not yours", headers={"X-Why": "because"})
    yield


class NotFoundError(Exception):
    pass


def missing() -> Iterator[Chunk]:
    raise NotFoundError("nothing there")
    yield


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["x-middleware"] = "1"
    return response


MIDDLEWARE = {"alone": [], "behind BaseHTTPMiddleware": [Middleware(BaseHTTPMiddleware, dispatch=pass_on)]}
either_middleware = pytest.mark.parametrize("middleware", MIDDLEWARE.values(), ids=MIDDLEWARE)


@either_middleware
@pytest.mark.parametrize("source", [refusing, arefusing], ids=["sync", "async"])
def test_an_http_exception_before_the_first_item_is_that_status(
    source: Callable[[], object], middleware: list[Middleware]
) -> None:
    async def view() -> Response:
        return stream_response(source())

    answer = strict_client_of(app_of(view, middleware=middleware)).get("/")

    assert (answer.status_code, answer.json()) == (403, {"detail": "not yours"})
    assert answer.headers["x-why"] == "because"
    assert answer.headers.get("x-middleware") == ("1" if middleware else None)


@either_middleware
def test_an_exception_before_the_first_item_goes_to_its_own_handler(middleware: list[Middleware]) -> None:
    async def view() -> Response:
        return stream_response(missing())

    def handle(_: Request, error: NotFoundError) -> Response:
        return PlainTextResponse(f"handled: {error}", 404)

    app = app_of(view, middleware=middleware, exception_handlers={NotFoundError: handle})
    answer = strict_client_of(app).get("/")

    assert (answer.status_code, answer.text) == (404, "handled: nothing there")


def test_an_http_exception_within_commit_after_is_that_status() -> None:
    async def view() -> Response:
        return stream_response(sa.sse(arefusing(), commit_after=20))

    assert strict_client_of(app_of(view)).get("/").status_code == 403


def test_without_a_thread_left_a_request_is_answered_503_with_retry_after() -> None:
    async def view() -> Response:
        return stream_response(iter("ab"))

    client = strict_client_of(app_of(view))

    async def ask_while_the_only_thread_is_taken() -> Any:
        held = sa.aiter_bytes(iter(["a", "b"]), limits=sa.Limits(high_water=1))
        await anext(held)
        try:
            return await asyncio.to_thread(client.get, "/")
        finally:
            await held.aclose()

    sa.configure(max_threads=1)
    try:
        answer = asyncio.run(ask_while_the_only_thread_is_taken())
    finally:
        sa.configure(max_threads=1000)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert client.get("/").text == "ab"


def test_background_tasks_run_after_the_stream() -> None:
    events, app = list[str](), FastAPI()

    def rows() -> Iterator[str]:
        yield "a"
        events.append("streamed")

    @app.get("/injected")
    @streaming
    def injected(tasks: BackgroundTasks) -> Iterator[str]:
        tasks.add_task(events.append, "task")
        return rows()

    @app.get("/own")
    def own() -> Response:
        response = stream_response(rows())
        response.background = BackgroundTask(events.append, "task")
        return response

    client = strict_client_of(app)

    for path in ("/injected", "/own"):
        assert client.get(path).text == "a"
        assert events == ["streamed", "task"]
        events.clear()


def test_cors_and_gzip_middleware_work_on_streams() -> None:
    async def view() -> Response:
        return stream_response("abc" for _ in range(1000))

    app = app_of(view)
    app.add_middleware(GZipMiddleware)
    app.add_middleware(CORSMiddleware, allow_origins=["https://example.org"])
    answer = strict_client_of(app).get("/", headers={"Origin": "https://example.org"})

    assert answer.text == "abc" * 1000
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["access-control-allow-origin"] == "https://example.org"


def test_core_response_can_be_mounted_as_an_application() -> None:
    app = FastAPI(routes=[Mount("/mounted", app=sa.Response(["a", "b"]))])

    assert strict_client_of(app).get("/mounted/").text == "ab"


def test_a_yield_dependency_is_open_while_the_stream_runs() -> None:
    events = list[str]()

    async def connection() -> AsyncIterator[str]:
        events.append("open")
        yield "row"
        events.append("closed")

    @streaming
    def rows(of: str = Depends(connection)) -> Iterator[str]:
        try:
            yield of
            yield of
            events.append("streamed")
        finally:
            events.append("source closed")

    app = FastAPI()
    app.get("/")(rows)

    assert strict_client_of(app).get("/").text == "rowrow"
    assert events == ["open", "streamed", "source closed", "closed"]


def test_an_endpoint_of_another_kind_is_not_touched() -> None:
    async def plain(request: Request) -> Response:
        return PlainTextResponse(request.method)

    app = Starlette(routes=[Route("/", plain)])
    StreamAdapter(app)

    assert strict_client_of(app).get("/").text == "GET"
