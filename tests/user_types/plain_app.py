"""Plain WSGI and ASGI, the normalizer, and the drop-in parts."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, assert_type

import stream_adapter as sa
from stream_adapter.asgi import StreamAdapterMiddleware as ASGIMiddleware
from stream_adapter.errors import RefusalError
from stream_adapter.formats import SSE, Format
from stream_adapter.types import ASGIApp, Environ, Receive, Scope, Send, StartResponse, WSGIApp
from stream_adapter.wsgi import StreamAdapterMiddleware as WSGIMiddleware


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return sa.Response(words(), status_code=200).wsgi(environ, start_response)


async def asgi_application(scope: Scope, receive: Receive, send: Send) -> None:
    await sa.sse(ticks(), keepalive=5).asgi(scope, receive, send)


def words() -> Iterator[str]:
    yield "one"


async def ticks() -> AsyncIterator[sa.ServerSentEvent]:
    yield sa.ServerSentEvent({"tick": 1}, id="1")


class TooMany(RefusalError):
    status_code = 429


def report(summary: sa.StreamSummary) -> str:
    return f"{summary.reason} after {summary.chunks} items and {summary.duration:.1f} s"


wrapped: WSGIApp = WSGIMiddleware(application, on_close=report)
asgi_wrapped: ASGIApp = ASGIMiddleware(asgi_application, compress=True)
adapted: ASGIApp = sa.to_asgi(application)
adapted_back: WSGIApp = sa.to_wsgi(asgi_application)
events: Format = SSE(keepalive=5)
assert_type(sa.encode_chunk("a"), bytes)


def use() -> list[bytes]:
    row: dict[str, Any] = {"a": 1}
    sa.drain(1.0)
    return [*sa.iter_bytes(words()), *sa.iter_bytes(sa.ndjson([row])), *sa.iter_bytes(sa.csv([row], ("a",)))]
