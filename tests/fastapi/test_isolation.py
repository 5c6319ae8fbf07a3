"""A request keeps to itself: what it sets is sent to its own client, and in time."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.routing import Route

import stream_adapter as sa
from stream_adapter.errors import RefusalError
from stream_adapter.formats import NDJSON
from stream_adapter_fastapi import Stream, StreamAdapter, StreamResponse, StreamRouter, stream_response, streaming
from tests.fastapi.support import client_of, strict_client_of

FORMAT, LIMITS, EVENT = NDJSON(), sa.Limits(max_items=16), sa.ServerSentEvent("hello", id="1")
HEADERS = {"X-Shared": "yes", "Vary": "Accept-Language"}
SHARED = {
    "list": sa.Response(["a", "b"], headers=HEADERS, limits=LIMITS),
    "items": sa.Response([{"a": 1}], format=FORMAT, headers=HEADERS),
    "text": sa.text("hello", headers=HEADERS),
    "events": sa.sse([EVENT], headers=HEADERS),
    "file": sa.file(Path(__file__), headers=HEADERS),
}


def snapshot(value: Any) -> Any:
    """Return all that an object holds, however deep, such that a later change of it shows."""
    if isinstance(value, (str, bytes, int, float, type(None), Path)) or callable(value):
        return value
    if hasattr(value, "items"):
        return [snapshot(item) for item in value.items()]
    if isinstance(value, (list, tuple)):
        sequence = cast("list[Any]", value)
        return [snapshot(item) for item in sequence]
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    fields = {
        **{name: getattr(value, name) for name in slots if hasattr(value, name)},
        **getattr(value, "__dict__", {}),
    }
    return type(value), {name: snapshot(field) for name, field in fields.items()}


async def signed_in(response: Response, who: str = "") -> None:
    if who:
        response.set_cookie("session", who)
        response.headers["X-Who"] = who
        response.status_code = 203


def by_stream(app: FastAPI, shared: sa.Response) -> None:
    @app.get("/", dependencies=[Depends(signed_in)])
    async def view(stream: Stream) -> Response:
        return stream(shared)


def by_stream_and_set_cookie(app: FastAPI, shared: sa.Response) -> None:
    @app.get("/")
    async def view(stream: Stream, who: str = "") -> Response:
        made = stream(shared)
        if who:
            made.set_cookie("session", who)
            made.headers["X-Who"] = who
            made.status_code = 203
        return made


def by_decorator(app: FastAPI, shared: sa.Response) -> None:
    @app.get("/")
    @streaming(headers={"X-Default": "1"})
    async def view(response: Response, who: str = "") -> sa.Response:
        await signed_in(response, who)
        return shared


def by_adapter(app: FastAPI, shared: sa.Response) -> None:
    StreamAdapter(app, headers={"X-Default": "1"})

    @app.get("/", dependencies=[Depends(signed_in)])
    def view() -> sa.Response:
        return shared


def by_router(app: FastAPI, shared: sa.Response) -> None:
    router = StreamRouter(dependencies=[Depends(signed_in)])

    @router.get("/", streaming=True)
    def view() -> sa.Response:
        return shared

    app.include_router(router)


def by_stream_response(app: FastAPI, shared: sa.Response) -> None:
    async def view(request: Request) -> Response:
        made = stream_response(shared)
        if who := request.query_params.get("who"):
            made.set_cookie("session", who)
            made.headers["X-Who"] = who
            made.status_code = 203
        return made

    app.router.routes.append(Route("/", view))


WAYS: list[Callable[[FastAPI, sa.Response], None]] = [
    by_stream,
    by_stream_and_set_cookie,
    by_decorator,
    by_adapter,
    by_router,
    by_stream_response,
]


def seen_of(answer: httpx2.Response) -> tuple[int, str | None, list[str]]:
    cookies = [cookie.split(";")[0] for cookie in answer.headers.get_list("set-cookie")]
    return answer.status_code, answer.headers.get("x-who"), cookies


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.parametrize("way", WAYS)
def test_a_shared_response_carries_nothing_of_one_request_to_another(way: Any, kind: str) -> None:
    shared, app = SHARED[kind], FastAPI()
    before = snapshot(shared)
    way(app, shared)
    client = strict_client_of(app)

    for user in ("ada", "bob"):
        assert seen_of(client.get("/", params={"who": user})) == (203, user, [f"session={user}"])
        answer = client.get("/")
        assert seen_of(answer) == (200, None, [])
        assert answer.headers["x-shared"] == "yes"
    assert snapshot(shared) == before


def test_users_at_the_same_time_get_their_own_cookies() -> None:
    app, together = FastAPI(), threading.Barrier(2, timeout=20)

    @app.get("/")
    @streaming
    def view(response: Response, who: str) -> sa.Response:
        together.wait()
        response.set_cookie("session", who)
        together.wait()
        return SHARED["list"]

    def ask(who: str) -> list[str]:
        return seen_of(strict_client_of(app).get("/", params={"who": who}))[2]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, ["ada", "bob"])) == [["session=ada"], ["session=bob"]]


def set_all(response: Response) -> None:
    response.set_cookie("seen", "1")
    response.headers["X-A"] = "b"
    response.headers["Cache-Control"] = "private"
    response.headers["Vary"] = "Origin"
    response.status_code = 202


@pytest.mark.parametrize("kind", ["async generator", "generator", "named format", "async generator returned"])
def test_headers_set_in_the_view_before_its_first_item_are_sent(kind: str) -> None:
    app = FastAPI()

    if kind == "async generator":

        @app.get("/")
        @streaming
        async def view(response: Response) -> AsyncIterator[dict[str, int]]:
            set_all(response)
            yield {"a": 1}

    elif kind == "generator":

        @app.get("/")
        @streaming
        def sync_view(response: Response) -> Iterator[dict[str, int]]:
            set_all(response)
            yield {"a": 1}

    elif kind == "named format":

        @app.get("/")
        @streaming(format=NDJSON())
        async def named(response: Response) -> AsyncIterator[dict[str, int]]:
            set_all(response)
            yield {"a": 1}

    else:

        @app.get("/")
        async def returning(response: Response, stream: Stream) -> Response:
            async def rows() -> AsyncIterator[dict[str, int]]:
                set_all(response)
                yield {"a": 1}

            return stream(rows())

    answer = strict_client_of(app).get("/")

    assert seen_of(answer) == (202, None, ["seen=1"])
    assert answer.headers.get_list("x-a") == ["b"]
    assert answer.headers.get_list("cache-control") == ["private"]
    assert "Origin" in answer.headers["vary"]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text == '{"a":1}\n'


def test_header_set_in_the_view_replaces_that_of_the_format() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(format=sa.sse([]).format)
    async def view(response: Response) -> AsyncIterator[str]:
        set_all(response)
        yield "a"

    answer = strict_client_of(app).get("/")

    assert answer.headers.get_list("cache-control") == ["private"]
    assert answer.headers.get_list("x-accel-buffering") == ["no"]


def test_the_response_of_the_view_comes_before_what_it_sets_in_fastapis() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming(headers={"X-A": "own"})
    async def view(response: Response) -> AsyncIterator[str]:
        set_all(response)
        yield "a"

    assert strict_client_of(app).get("/").headers.get_list("x-a") == ["own"]


def test_a_header_removed_before_the_first_item_is_not_sent() -> None:
    app = FastAPI(dependencies=[Depends(set_all)])

    @app.get("/")
    @streaming
    async def view(response: Response) -> AsyncIterator[str]:
        del response.headers["x-a"]
        yield "a"

    assert "x-a" not in strict_client_of(app).get("/").headers


def test_a_status_without_a_body_set_in_the_generator_is_an_error() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    async def view(response: Response) -> AsyncIterator[str]:
        response.status_code = 204
        yield "a"

    with pytest.raises(ValueError, match=r"^status_code: 204 has no body"):
        strict_client_of(app).get("/")


def test_a_header_set_after_the_first_item_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    @app.get("/late")
    @streaming(limits=sa.Limits(high_water=1))  # so that it pauses at its first item
    async def view(response: Response) -> AsyncIterator[str]:
        yield "a"
        set_all(response)

    with caplog.at_level("WARNING", "stream_adapter"):
        assert seen_of(strict_client_of(app).get("/late")) == (200, None, [])

    assert "GET /late: headers or a status set in `response` after the first item are not sent" in caplog.text


class TooMany(RefusalError):
    """A refusal of the application's own."""

    status_code = 429
    headers = MappingProxyType({"Retry-After": "7"})


def test_custom_refusal_is_answered_with_its_status() -> None:
    app = FastAPI()

    @app.get("/")
    @streaming
    async def view() -> AsyncIterator[str]:
        raise TooMany
        yield ""

    @app.exception_handler(HTTPException)
    async def handle(_: Request, error: HTTPException) -> Response:
        return Response("handled", error.status_code, error.headers)

    answer = client_of(app).get("/")

    assert (answer.status_code, answer.headers["retry-after"], answer.text) == (429, "7", "handled")


def shouting(response: Response) -> None:
    assert isinstance(response, StreamingResponse)
    blocks = response.body_iterator

    async def louder() -> AsyncIterator[str]:
        async for block in blocks:
            yield bytes(block).decode().upper()  # type: ignore[arg-type]  # the blocks are bytes

    response.body_iterator = louder()


@pytest.mark.parametrize("way", ["sync", "async", "whole"])
def test_a_body_iterator_that_was_replaced_is_sent_with_the_headers_of_the_stream(way: str) -> None:
    closed = list[str]()

    def rows() -> Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("closed")

    async def arows() -> AsyncIterator[str]:
        for row in rows():
            yield row

    async def view(_: Request) -> Response:
        made = stream_response(sa.text(rows() if way == "sync" else arows() if way == "async" else "ab"))
        assert isinstance(made, StreamResponse)
        shouting(made)
        return made

    answer = strict_client_of(Starlette(routes=[Route("/", view)])).get("/")

    assert (answer.text, answer.headers["content-type"]) == ("AB", "text/plain; charset=utf-8")
    assert closed == [] if way == "whole" else ["closed"]
