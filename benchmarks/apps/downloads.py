"""Files, by hand and by stream_adapter: each application answers /<name of a file> with that file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import stream_adapter as sa
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp

__all__ = ["adapted_asgi", "adapted_wsgi", "path_of", "pathsend", "raw_asgi", "raw_wsgi"]

_BLOCK = 1 << 18


def path_of(url_path: str) -> str:
    """Return the path of the file that is asked for."""
    return str(Path(os.environ["BENCHMARK_FILES"]) / url_path.lstrip("/"))


def _start(path: str) -> dict[str, Any]:
    length = str(os.stat(path).st_size).encode()
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}


def raw_asgi() -> ASGIApp:
    """Read a block, on the loop; send it. Nothing is faster through an application, and nothing is less polite."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope["path"])
        await send(_start(path))
        with open(path, "rb", buffering=0) as file:  # noqa: ASYNC230  # that it blocks is the point of it
            while block := file.read(_BLOCK):
                await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def pathsend() -> ASGIApp:
    """Leave it all to the server."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope["path"])
        await send(_start(path))
        await send({"type": "http.response.pathsend", "path": path})

    return app


def raw_wsgi() -> WSGIApp:
    """Give the server the file, and let the kernel send it."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = path_of(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Length", str(os.stat(path).st_size))])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](open(path, "rb", buffering=0), _BLOCK)  # noqa: SIM115  # the server closes it
        return wrapped

    return app


def adapted_asgi() -> ASGIApp:
    """Serve by stream_adapter, without a framework."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sa.file(path_of(scope["path"]))(scope, receive, send)

    return app


def adapted_wsgi() -> WSGIApp:
    """Serve by stream_adapter, without a framework."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return sa.file(path_of(environ["PATH_INFO"]))(environ, start_response)

    return app
