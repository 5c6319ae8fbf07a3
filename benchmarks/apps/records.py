"""The same items as lines of JSON and as rows of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

import stream_adapter as sa
from benchmarks.sources import BLOCK, source_for
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp

__all__ = [
    "csv_floor_wsgi",
    "csv_wsgi",
    "fastapi_model",
    "fastapi_ndjson",
    "ndjson_asgi",
    "ndjson_floor_asgi",
    "ndjson_floor_wsgi",
    "ndjson_wsgi",
    "our_model",
]


def ndjson_floor_asgi() -> ASGIApp:
    """Dump, join to 64 KiB, send."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        lines: list[bytes] = []
        room = BLOCK
        async for item in source_for(scope["path"]):
            lines.append(line := orjson.dumps(item) + b"\n")
            room -= len(line)
            if room <= 0:
                await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
                lines, room = [], BLOCK
        await send({"type": "http.response.body", "body": b"".join(lines)})

    return app


def ndjson_floor_wsgi() -> WSGIApp:
    """Dump, join to 64 KiB, yield."""
    return _wsgi(_joined_lines)


def csv_floor_wsgi() -> WSGIApp:
    """Write by `csv.writer`, yield 64 KiB at a time."""
    return _wsgi(_written_rows)


def _wsgi(body: Callable[[Iterable[Any]], Iterator[bytes]]) -> WSGIApp:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body(source_for(environ["PATH_INFO"]))

    return app


def _joined_lines(items: Iterable[Any]) -> Iterator[bytes]:
    lines: list[bytes] = []
    room = BLOCK
    for item in items:
        lines.append(line := orjson.dumps(item) + b"\n")
        room -= len(line)
        if room <= 0:
            yield b"".join(lines)
            lines, room = [], BLOCK
    yield b"".join(lines)


def _written_rows(items: Iterable[Any]) -> Iterator[bytes]:
    file = io.StringIO()
    write = csv.writer(file).writerow
    write(["id", "name", "ok"])
    for item in items:
        write([item["id"], item["name"], item["ok"]])
        if file.tell() >= BLOCK:
            yield file.getvalue().encode()
            file.seek(0)
            file.truncate()
    yield file.getvalue().encode()


def ndjson_asgi() -> ASGIApp:
    """Stream by `ndjson`, under ASGI."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sa.ndjson(source_for(scope["path"])).asgi(scope, receive, send)

    return app


def ndjson_wsgi() -> WSGIApp:
    """Stream by `ndjson`, under WSGI."""
    return _our_wsgi(sa.ndjson)


def csv_wsgi() -> WSGIApp:
    """Stream by `csv`, under WSGI."""
    return _our_wsgi(sa.csv)


def _our_wsgi(shortcut: Callable[[Any], sa.Response]) -> WSGIApp:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return shortcut(source_for(environ["PATH_INFO"])).wsgi(environ, start_response)

    return app


def fastapi_ndjson() -> ASGIApp:
    """Stream lines of JSON as FastAPI itself does: a view that yields items without a declared type."""
    from fastapi import FastAPI  # noqa: PLC0415  # the others need it not

    app = FastAPI()

    @app.get("/{path:path}")
    async def view(path: str):  # pyright: ignore[reportUnusedFunction]  # the app calls it
        async for item in source_for(path):
            yield item

    return app


def fastapi_model() -> ASGIApp:
    """Stream lines of JSON as FastAPI itself does, each checked by a model."""
    from fastapi import FastAPI  # noqa: PLC0415  # the others need it not

    from ._model import view  # noqa: PLC0415  # so does the model

    app = FastAPI()
    app.get("/{path:path}")(view)
    return app


def our_model() -> ASGIApp:
    """Stream the same view with the same model by `@streaming`."""
    from fastapi import FastAPI  # noqa: PLC0415  # the others need it not

    from stream_adapter_fastapi import streaming  # noqa: PLC0415

    from ._model import view  # noqa: PLC0415

    app = FastAPI()
    app.get("/{path:path}")(streaming(view))
    return app
