"""The application that test_served.py has served by uvicorn: what happens in it is read over HTTP.

The garbage collector is off, and every source is kept: what closes, was closed.
"""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

import stream_adapter as sa
from stream_adapter_fastapi import Stream, StreamAdapter, StreamRouter, streaming
from tests.support.gate import Gate

gc.disable()

gates: defaultdict[str, Gate] = defaultdict(Gate)
journal: defaultdict[str, list[str]] = defaultdict(list[str])
over: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
kept: list[object] = []


def gated(key: str) -> Iterator[str]:
    """Go on only when the client has the chunk before."""
    for number in range(3):
        yield f"{number}\n"
        gates[key].wait()


async def agated(key: str) -> AsyncIterator[str]:
    for number in range(3):
        yield f"{number}\n"
        await gates[key].wait_async()


def endless(key: str) -> Iterator[str]:
    try:
        while True:
            yield "x" * 1000
    finally:
        journal[key].append("source closed")


async def aendless(key: str) -> AsyncIterator[str]:
    """Never await: the loop must not become this source's own."""
    try:
        while True:
            yield "x" * 1000
    finally:
        journal[key].append("source closed")


async def asilent(key: str) -> AsyncIterator[str]:
    try:
        yield "x" * 1000
        await asyncio.get_running_loop().create_future()
    finally:
        journal[key].append("source closed")


def failing(key: str) -> Iterator[str]:
    try:
        yield "one\n"
        yield "two\n"
        raise RuntimeError(f"secret of {key}")
    finally:
        journal[key].append("source closed")


async def afailing(key: str) -> AsyncIterator[str]:
    try:
        yield "one\n"
        yield "two\n"
        raise RuntimeError(f"secret of {key}")
    finally:
        journal[key].append("source closed")


def failing_early(key: str) -> Iterator[str]:
    raise RuntimeError(f"secret of {key}")
    yield ""


async def arefusing(key: str) -> AsyncIterator[str]:
    raise HTTPException(403, key)
    yield ""


async def events(key: str) -> AsyncIterator[sa.ServerSentEvent]:
    async for line in agated(key):
        yield sa.ServerSentEvent(line)


SOURCES: list[Callable[[str], Any]] = [
    gated,
    agated,
    endless,
    aendless,
    asilent,
    failing,
    afailing,
    failing_early,
    arefusing,
    events,
]


def source_of(kind: str, key: str) -> Any:
    (make,) = (source for source in SOURCES if source.__name__ == kind)
    source = make(key)
    kept.append(source)
    return source


async def connection(key: str) -> AsyncIterator[None]:
    """Be the last of the request to end, after its response and its background tasks."""
    try:
        yield
    finally:
        journal[key].append("dependency closed")
        over[key].set()


Connected = Annotated[None, Depends(connection)]
router = StreamRouter(dependencies=[Depends(connection)])
plain_router = APIRouter(dependencies=[Depends(connection)])


@router.get("/streaming/{kind}")
@streaming
def decorated(kind: str, key: str) -> Any:
    return source_of(kind, key)


@router.get("/astreaming/{kind}")
@streaming
async def adecorated(kind: str, key: str) -> Any:
    return source_of(kind, key)


@router.get("/route/{kind}", streaming=True)
def of_route(kind: str, key: str) -> Any:
    return source_of(kind, key)


@plain_router.get("/returned/{kind}")
def returned(kind: str, key: str) -> Any:
    return source_of(kind, key)


@plain_router.get("/stream/{kind}")
async def with_stream(kind: str, key: str, stream: Stream, tasks: BackgroundTasks) -> Response:
    tasks.add_task(journal[key].append, "background task")
    return stream(source_of(kind, key))


@plain_router.get("/last-event-id")
async def last_event_id(stream: Stream) -> str | None:
    return stream.last_event_id


async def handle_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"handled {error.detail}", error.status_code)


async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


def app_with(*middleware: tuple[Any, dict[str, Any]]) -> FastAPI:
    app = FastAPI(exception_handlers={HTTPException: handle_http_exception})
    app.include_router(plain_router)
    StreamAdapter(app)
    app.include_router(router)
    for cls, options in middleware:
        app.add_middleware(cls, **options)
    return app


app = app_with()
app.mount("/base", app_with((BaseHTTPMiddleware, {"dispatch": pass_on}), (BaseHTTPMiddleware, {"dispatch": pass_on})))
app.mount("/cors-gzip", app_with((GZipMiddleware, {}), (CORSMiddleware, {"allow_origins": ["*"]})))


@app.post("/open/{key}")
async def open_gate(key: str) -> None:
    gates[key].open()


@app.get("/journal/{key}")
async def tell(key: str) -> list[str]:
    """Tell what happened in a request, once it is over."""
    await asyncio.wait_for(over[key].wait(), 20)
    return journal[key]
