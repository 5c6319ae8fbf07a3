"""One request to an application in this process, as a server makes it, and nothing around it that a server costs."""

from __future__ import annotations

import asyncio
import importlib
import io
import sys
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any

from benchmarks.contenders import Contender, Protocol
from stream_adapter.types import ASGIApp, Environ, Message, Scope, WSGIApp

__all__ = ["SPEC_VERSION", "Call", "asgi_call", "call_of", "make_app", "wsgi_call"]

SPEC_VERSION = "2.3"
"""Of ASGI, as uvicorn and granian say in the scope of a request. gunicorn says 2.4, hypercorn 2.1."""

Call = Callable[[str], int]
"""Ask for a path and return the number of body bytes, or 0 where they are not counted."""


@lru_cache
def make_app(factory: str) -> Any:
    """Make the application that `module:function` makes, once."""
    module, _, function = factory.partition(":")
    return getattr(importlib.import_module(f"benchmarks.apps.{module}"), function)()


def call_of(
    contender: Contender,
    protocol: Protocol,
    loop: asyncio.AbstractEventLoop,
    *,
    counted: bool = False,
    spec_version: str = SPEC_VERSION,
) -> Call:
    """Return what calls a contender's application."""
    app = make_app(contender.factory)
    if protocol == "wsgi":
        return lambda path: wsgi_call(app, contender.prefix + path)
    return lambda path: loop.run_until_complete(
        asgi_call(app, contender.prefix + path, counted=counted, spec_version=spec_version)
    )


def wsgi_call(app: WSGIApp, path: str) -> int:
    """Call, iterate and close."""
    blocks: Any = app(_environ(path), lambda _status, _headers, _exc_info=None: _write)
    size = 0
    try:
        for block in blocks:
            size += len(block)
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
    return size


def _write(_: bytes) -> None:
    """Stand for what no application calls any more."""


def _environ(path: str) -> Environ:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def asgi_call(app: ASGIApp, path: str, *, counted: bool, spec_version: str = SPEC_VERSION) -> Coroutine[Any, Any, int]:
    """Call with a `send` that takes all at once, and a client that stays to the end.

    Then `receive` says that it has gone, as servers do: Litestar waits for that.
    """

    async def call() -> int:
        ended = asyncio.get_running_loop().create_future()
        requested = False
        size = 0

        async def receive() -> Message:
            nonlocal requested
            if requested:
                await asyncio.shield(ended)
                return {"type": "http.disconnect"}
            requested = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if "body" in message and not message.get("more_body") and not ended.done():
                ended.set_result(None)

        async def count(message: Message) -> None:
            nonlocal size
            size += len(message.get("body", b""))
            await send(message)

        await app(_scope(path, spec_version), receive, count if counted else send)
        return size

    return call()


def _scope(path: str, spec_version: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
