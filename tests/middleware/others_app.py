"""Our streams behind compressing middlewares of others. The next item is made once the one before was acknowledged.

fastapi_app   Starlette's GZipMiddleware, which FastAPI has too
flask_app     Flask-Compress, as it comes

/rows/NAME, /events/NAME   three items
/acknowledge/to/NAME       has the next one made
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from flask import Flask
from flask_compress import Compress

import stream_adapter as sa
from stream_adapter_fastapi import StreamAdapter as FastAPIAdapter
from stream_adapter_flask import StreamAdapter as FlaskAdapter
from tests.support.gate import BOUND

__all__ = ["fastapi_app", "flask_app"]

ITEMS = 3
PADDING = "x" * 600  # a body below 500 bytes is left alone by both

fastapi_app = FastAPI()
FastAPIAdapter(fastapi_app)
fastapi_app.add_middleware(GZipMiddleware)
_queues: defaultdict[str, asyncio.Queue[None]] = defaultdict(asyncio.Queue)


async def _async_items(name: str) -> AsyncIterator[dict[str, Any]]:
    for number in range(ITEMS):
        yield {"item": number, "padding": PADDING}
        async with asyncio.timeout(BOUND):
            await _queues[name].get()


@fastapi_app.get("/rows/{name}")
async def _fastapi_rows(name: str) -> Any:
    return sa.ndjson(_async_items(name))


@fastapi_app.get("/events/{name}")
async def _fastapi_events(name: str) -> Any:
    return sa.sse(_async_items(name))


@fastapi_app.get("/acknowledge/to/{name}")
async def _fastapi_acknowledge(name: str) -> None:
    _queues[name].put_nowait(None)


_flask = Flask(__name__)
FlaskAdapter(_flask)
Compress(_flask)
_semaphores: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(0))


def _items(name: str) -> Iterator[dict[str, Any]]:
    for number in range(ITEMS):
        yield {"item": number, "padding": PADDING}
        assert _semaphores[name].acquire(timeout=BOUND)


@_flask.get("/rows/<name>")
def _flask_rows(name: str) -> Any:
    return sa.ndjson(_items(name))


@_flask.get("/events/<name>")
def _flask_events(name: str) -> Any:
    return sa.sse(_items(name))


@_flask.get("/acknowledge/to/<name>")
def _flask_acknowledge(name: str) -> str:
    _semaphores[name].release()
    return ""


flask_app = _flask
