"""An application whose streams fail after `?after=` items: /ndjson, /json_array, /json_seq, /csv; and each /…-async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator

import stream_adapter as sa
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse

ITEMS = 4

_SHORTCUTS: dict[str, Callable[[object], sa.Response]] = {
    "ndjson": sa.ndjson,
    "json_array": sa.json_array,
    "json_seq": sa.json_seq,
    "csv": sa.csv,
}


def rows(after: int) -> Iterator[dict[str, int]]:
    """Yield `after` rows and fail; all of them if there are fewer."""
    for number in range(ITEMS):
        if number == after:
            raise RuntimeError("secret")
        yield {"row": number}


async def rows_async(after: int) -> AsyncIterator[dict[str, int]]:
    """Do the same, asynchronously."""
    for row in rows(after):
        yield row


def _response(path: str, query: str) -> sa.Response:
    shortcut, _, way = path.strip("/").partition("-")
    source = rows_async if way else rows
    return _SHORTCUTS[shortcut](source(int(query.removeprefix("after="))))


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return _response(environ["PATH_INFO"], environ["QUERY_STRING"]).wsgi(environ, start_response)


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    await _response(scope["path"], scope["query_string"].decode()).asgi(scope, receive, send)
