"""Responses whose heads are wrong, in lengths and in what was set after construction, and `/next`, which is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

import stream_adapter as sa
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse

LENGTHS = {"/short": "100", "/long": "30", "/right": "50"}
FORGED = {
    "/nul": ("X-A", "a\0b"),
    "/escape": ("X-A", "a\x1b[2J"),
    "/tab": ("X-A", "a\vb"),
    "/name": ("X-A: b\r\nSet-Cookie", "sid=1"),
    "/length": ("Content-Length", "5, 6"),
}


def rows() -> Iterator[bytes]:
    for _ in range(5):
        yield b"a" * 10


async def async_rows() -> AsyncIterator[bytes]:
    for row in rows():
        yield row


def response_to(target: str) -> sa.Response:
    kind, _, name = target.lstrip("/").partition("/")
    path = f"/{name}"
    response = sa.Response(async_rows() if kind == "async" else rows())
    if path in LENGTHS:
        response.headers["Content-Length"] = LENGTHS[path]
    if path in FORGED:
        response.headers.extend([FORGED[path]])
    if path == "/interim":
        response.status_code = 103
    return response


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return response_to(environ["PATH_INFO"]).wsgi(environ, start_response)


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    await response_to(scope.get("path", "/sync/next")).asgi(scope, receive, send)
