"""The application that test_bodies.py has served: views that read the request's body while they answer it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route

import stream_adapter as sa
from stream_adapter_fastapi import Stream, StreamAdapter, StreamRouter, stream_response, streaming
from tests.support.gate import Gate

ended: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
gates: defaultdict[str, Gate] = defaultdict(Gate)


async def json_first(request: Request) -> AsyncIterator[str]:
    yield f"{(await request.json())['q']}\n"


async def body_first(request: Request) -> AsyncIterator[str]:
    yield f"{len(await request.body())}\n"


async def body_after(request: Request) -> AsyncIterator[str]:
    yield "start\n"
    yield f"{len(await request.body())}\n"


async def form_first(request: Request) -> AsyncIterator[str]:
    async with request.form() as form:
        yield f"{form['a']}\n"
        part: Any = form["file"]
        yield f"{len(await part.read())}\n"


async def looked(request: Request) -> AsyncIterator[str]:
    """Ask whether the client has left before the body is read, and while it arrives."""
    for _ in range(3):
        yield f"{await request.is_disconnected()}\n"
    yield f"{len(await request.body())}\n"


async def parts(request: Request) -> AsyncIterator[str]:
    """Answer each part with how much has come."""
    size = 0
    async for part in request.stream():
        size += len(part)
        yield f"{size}\n"


async def counted(request: Request) -> AsyncIterator[str]:
    """Say at the end how much has come; a slow reader, so that what is kept would grow."""
    yield "start\n"
    size = 0
    async for part in request.stream():
        size += len(part)
    yield f"{size}\n"


async def echo(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        yield part


async def twice(request: Request) -> AsyncIterator[str]:
    yield f"{len(await request.body())}\n"
    yield f"{len(await request.body())} {await request.is_disconnected()}\n"


async def unread(request: Request) -> AsyncIterator[str]:
    yield "unread\n"


async def reports_the_disconnect(request: Request, key: str, reads: str) -> AsyncIterator[str]:
    """Stream until the client leaves."""
    try:
        if reads == "before":
            await request.body()
        yield "start\n"
        if reads == "after":
            await request.body()
        if reads == "polls":
            while not await request.is_disconnected():  # noqa: ASYNC110  # it is how views ask
                await asyncio.sleep(0.01)
        if reads == "parts":
            try:
                async for _ in request.stream():
                    pass
            except ClientDisconnect:
                return
        await asyncio.get_running_loop().create_future()
    finally:
        ended[key].set()


SOURCES: dict[str, Callable[[Request], AsyncIterator[Any]]] = {
    source.__name__: source
    for source in (json_first, body_first, body_after, form_first, looked, parts, counted, echo, twice, unread)
}


def source_of(request: Request) -> AsyncIterator[Any]:
    if request.path_params["kind"] == "end":
        return reports_the_disconnect(request, request.query_params["key"], request.query_params["reads"])
    return SOURCES[request.path_params["kind"]](request)


@streaming
async def generator(request: Request) -> AsyncIterator[Any]:
    async for item in source_of(request):
        yield item


async def response(request: Request) -> Response:
    return stream_response(source_of(request))


class Endpoint(HTTPEndpoint):
    @streaming
    async def post(self, request: Request) -> Any:
        return source_of(request)

    put = post


class PlainEndpoint(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        return stream_response(source_of(request))


async def dependency(request: Request, stream: Stream) -> Response:
    return stream(source_of(request))


async def returned(request: Request) -> Any:
    return source_of(request)


async def passed(request: Request, stream: Stream) -> Response:
    made = stream_response(source_of(request))
    assert stream.last_event_id is None
    return made


METHODS = ["POST", "PUT", "PATCH", "DELETE", "GET"]


def fastapi_app() -> FastAPI:
    app, router = FastAPI(), StreamRouter()
    app.api_route("/streaming/{kind}", methods=METHODS, response_model=None)(generator)
    app.api_route("/dependency/{kind}", methods=METHODS)(dependency)
    app.api_route("/passed/{kind}", methods=METHODS)(passed)
    app.api_route("/response/{kind}", methods=METHODS)(response)
    app.api_route("/adapted/{kind}", methods=METHODS)(returned)
    router.api_route("/router/{kind}", methods=METHODS, streaming=True)(returned)
    app.include_router(router)
    StreamAdapter(app)
    return app


def starlette_app() -> Starlette:
    return Starlette(
        routes=[
            Route("/streaming/{kind}", generator, methods=METHODS),
            Route("/response/{kind}", response, methods=METHODS),
            Route("/endpoint/{kind}", Endpoint),
            Route("/plain-endpoint/{kind}", PlainEndpoint),
        ]
    )


def adapted_starlette_app() -> Starlette:
    app = Starlette(routes=[Route("/adapted/{kind}", returned, methods=METHODS)])
    StreamAdapter(app)
    return app


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


async def read_first(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    await request.body()
    return await call_next(request)


async def tell(request: Request) -> Response:
    async with asyncio.timeout(20):
        await ended[request.path_params["key"]].wait()
    return Response("ended")


def behind(app: Starlette, *dispatches: Any) -> Starlette:
    for dispatch in dispatches:
        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    return app


app = Starlette(
    routes=[
        Route("/ended/{key}", tell),
        Mount("/fastapi", fastapi_app()),
        Mount("/starlette", starlette_app()),
        Mount("/adapted-starlette", adapted_starlette_app()),
        Mount("/behind/fastapi", behind(fastapi_app(), pass_on, pass_on)),
        Mount("/behind/starlette", behind(starlette_app(), pass_on)),
        Mount("/read/fastapi", behind(fastapi_app(), read_first)),
    ]
)

assert sa.active_stream_count() == 0
