"""Applications of others, carried over, for tests through real servers.

flask_app       Flask's own streams, under ASGI
impatient_app   the same, for which a body may be withheld for half a second
starlette_app   Starlette's own streams, under WSGI; its lifespan tells in a file that it has shut down

/ticking   ticks until it is closed         /upload   says how many bytes were sent to it, as they come
/failing   fails after its first chunk      /closed   says how many streams have been closed, and why
/refusing  fails before it                  /large    as many bytes as the query says
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from flask import Response as FlaskResponse
from flask import request as flask_request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import stream_adapter as sa

TICK = 0.02
BLOCK = bytes(65536)
closes: Counter[str] = Counter()
reasons: Counter[str] = Counter()


def _note(summary: sa.StreamSummary) -> None:
    if summary.chunks > 1:
        reasons[summary.reason] += 1


_flask = Flask(__name__)


def _ticking() -> Generator[bytes]:
    try:
        while True:
            yield b"tick\n"
            time.sleep(TICK)
    finally:
        closes["ticking"] += 1


@_flask.post("/ticking")
@_flask.get("/ticking")
def _flask_ticking() -> FlaskResponse:
    return FlaskResponse(_ticking())


@_flask.get("/failing")
def _flask_failing() -> FlaskResponse:
    def chunks() -> Iterator[bytes]:
        yield b"first\n"
        raise LookupError("a secret")

    return FlaskResponse(chunks())


@_flask.get("/refusing")
def _flask_refusing() -> FlaskResponse:
    raise LookupError("a secret")


@_flask.post("/upload")
def _flask_upload() -> dict[str, int]:
    size = 0
    while block := flask_request.stream.read(65536):
        size += len(block)
    return {"size": size}


@_flask.get("/large")
def _flask_large() -> FlaskResponse:
    count = int(flask_request.args["size"]) // len(BLOCK)
    return FlaskResponse(BLOCK for _ in range(count))


@_flask.get("/closed")
def _flask_closed() -> dict[str, Any]:
    return {"closes": closes["ticking"], "reasons": reasons}


flask_app = sa.to_asgi(_flask, on_close=_note)
impatient_app = sa.to_asgi(_flask, receive_timeout=0.5)
if "MAX_THREADS" in os.environ:
    sa.configure(max_threads=int(os.environ["MAX_THREADS"]))


async def _async_ticking() -> AsyncGenerator[bytes]:
    try:
        while True:
            yield b"tick\n"
            await asyncio.sleep(TICK)
    finally:
        closes["ticking"] += 1


async def _starlette_ticking(_: Request) -> Response:
    return StreamingResponse(_async_ticking())


async def _starlette_failing(_: Request) -> Response:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"first\n"
        await asyncio.sleep(TICK)
        raise LookupError("a secret")

    return StreamingResponse(chunks())


async def _starlette_refusing(_: Request) -> Response:
    raise LookupError("a secret")


async def _starlette_upload(request: Request) -> Response:
    size = 0
    async for block in request.stream():
        size += len(block)
    return JSONResponse({"size": size})


async def _starlette_large(request: Request) -> Response:
    async def blocks() -> AsyncGenerator[bytes]:
        for _ in range(int(request.query_params["size"]) // len(BLOCK)):
            yield BLOCK

    return StreamingResponse(blocks())


async def _starlette_closed(_: Request) -> Response:
    return JSONResponse({"closes": closes["ticking"], "reasons": reasons})


async def _starlette_state(request: Request) -> Response:
    return JSONResponse({"started_in": request.state.process, "process": os.getpid()})


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncGenerator[dict[str, int]]:
    yield {"process": os.getpid()}
    if "SHUT_DOWN_FILE" in os.environ:
        write = partial(Path(os.environ["SHUT_DOWN_FILE"]).write_text, str(os.getpid()))
        if os.environ["SHUT_DOWN_IN"] == "thread":
            await asyncio.to_thread(write)
        else:
            write()


starlette_app = sa.to_wsgi(
    Starlette(
        routes=[
            Route("/ticking", _starlette_ticking, methods=["GET", "POST"]),
            Route("/failing", _starlette_failing),
            Route("/refusing", _starlette_refusing),
            Route("/upload", _starlette_upload, methods=["POST"]),
            Route("/large", _starlette_large),
            Route("/closed", _starlette_closed),
            Route("/state", _starlette_state),
        ],
        lifespan=_lifespan,
    ),
    on_close=_note,
)

sa.drain_on_signal()
