"""The least that streaming can cost: loops written by hand, with no response, no headers and no safety."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from benchmarks.sources import BLOCK, source_for
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp

__all__ = ["asgi", "bare_asgi", "bare_wsgi", "wsgi"]

_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
_HEADERS = [("Content-Type", "text/plain")]


def asgi() -> ASGIApp:
    """Iterate, encode, join to 64 KiB, send."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        source = source_for(scope["path"])
        await send(_START)
        rows: list[bytes] = []
        room = BLOCK
        if hasattr(source, "__aiter__"):
            async for row in source:
                rows.append(chunk := row.encode())
                room -= len(chunk)
                if room <= 0:
                    await send(_block(b"".join(rows), more=True))
                    rows, room = [], BLOCK
        else:
            for row in source:
                rows.append(chunk := row.encode())
                room -= len(chunk)
                if room <= 0:
                    await send(_block(b"".join(rows), more=True))
                    rows, room = [], BLOCK
        await send(_block(b"".join(rows), more=False))

    return app


def bare_asgi() -> ASGIApp:
    """Send each chunk by itself."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(_START)
        async for row in source_for(scope["path"]):
            await send(_block(_bytes(row), more=True))
        await send(_block(b"", more=False))

    return app


def wsgi() -> WSGIApp:
    """Iterate, encode, join to 64 KiB, yield. An async source is stepped by hand, without any loop: it never waits."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        source = source_for(environ["PATH_INFO"])
        start_response("200 OK", _HEADERS)
        return _joined_async(source) if hasattr(source, "__aiter__") else _joined(source)

    return app


def _joined(source: Iterable[str]) -> Iterator[bytes]:
    rows: list[bytes] = []
    room = BLOCK
    for row in source:
        rows.append(chunk := row.encode())
        room -= len(chunk)
        if room <= 0:
            yield b"".join(rows)
            rows, room = [], BLOCK
    yield b"".join(rows)


def _joined_async(source: AsyncIterator[str]) -> Iterator[bytes]:
    block = None
    while block != b"":
        try:
            _next_block(source).send(None)
        except StopIteration as done:
            block = done.value
            yield block


async def _next_block(source: AsyncIterator[str]) -> bytes:
    rows: list[bytes] = []
    room = BLOCK
    async for row in source:
        rows.append(chunk := row.encode())
        room -= len(chunk)
        if room <= 0:
            break
    return b"".join(rows)


def bare_wsgi() -> WSGIApp:
    """Yield each chunk by itself, as one does who needs nothing else."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", _HEADERS)
        return _each(source_for(environ["PATH_INFO"]))

    return app


def _each(source: Iterable[str]) -> Iterator[bytes]:
    for row in source:
        yield row.encode()


def _bytes(row: Any) -> bytes:
    return row if isinstance(row, bytes) else row.encode()


def _block(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
