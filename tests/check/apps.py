"""What is checked behind nginx."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator

import stream_adapter as sa
from stream_adapter.types import Environ, Receive, Scope, Send, StartResponse


async def _rows() -> AsyncIterator[object]:
    """Yield rows with pauses that `check` sees. Of faster ones a machine that stalls makes what a buffer would make."""
    for number in range(100):
        yield {"row": number, "text": "x" * 380}
        await asyncio.sleep(0.025)


async def _events(begin: int) -> AsyncIterator[sa.ServerSentEvent]:
    for number in range(begin, begin + 10):
        yield sa.ServerSentEvent({"tick": number}, id=str(number))
        await asyncio.sleep(0.1)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve both."""
    if scope["type"] == "http" and scope["path"] == "/rows":
        await sa.ndjson(_rows())(scope, receive, send)
        return
    seen = dict(scope.get("headers", ())).get(b"last-event-id", b"-1")
    await sa.sse(_events(int(seen) + 1))(scope, receive, send)


def _slowly() -> Iterator[sa.ServerSentEvent]:
    for number in range(40):
        yield sa.ServerSentEvent(str(number))
        time.sleep(0.1)


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Serve four seconds of events in the thread of the request."""
    return sa.sse(_slowly())(environ, start_response)
