"""Applications without a framework, in either protocol, which do not use this library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp

Headers = Iterable[tuple[str, str]]
Make = Callable[..., WSGIApp | ASGIApp]


def wsgi_app(blocks: Iterable[Any], status: int = 200, headers: Headers = ()) -> WSGIApp:
    """Answer each request with the same blocks."""

    def app(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(f"{status} Whatever", list(headers))
        return blocks

    return app


def asgi_app(blocks: Iterable[Any], status: int = 200, headers: Headers = ()) -> ASGIApp:
    """Answer each request with the same blocks, and close them, whatever happens."""
    fields = [(name.encode(), value.encode()) for name, value in headers]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "no lifespan"
        gone = asyncio.create_task(_disconnect(receive))
        iterator = iter(blocks)
        started = False
        try:
            while not gone.done():
                block = await asyncio.to_thread(next, iterator, END)
                if not started:  # as WSGI has it: nothing goes out before the first block
                    started = True
                    await send({"type": "http.response.start", "status": status, "headers": fields})
                if block is END:
                    await send({"type": "http.response.body"})
                    return
                await send({"type": "http.response.body", "body": block, "more_body": True})
        finally:
            gone.cancel()
            close: Callable[[], object] = getattr(blocks, "close", lambda: None)
            close()

    return app


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


END: Any = object()
MAKERS: dict[str, Make] = {"wsgi": wsgi_app, "asgi": asgi_app}
either_protocol = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
