"""FastAPI: the same generators as in the other examples, and a dependency that stays open while they run.

pip install '.[fastapi]' uvicorn
uvicorn examples.fastapi_app:app
curl -N localhost:8000/tokens
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.responses import Response

import stream_adapter as sa
from stream_adapter_fastapi import Stream, StreamAdapter, streaming

app = FastAPI()
StreamAdapter(app)  # a view may return a generator, without a decorator; routes take streaming=True


def table() -> Iterator[range]:
    """Open what stands for a database session."""
    yield range(5)


@app.get("/tokens")
@streaming
async def tokens() -> AsyncIterator[str]:
    """An async generator."""
    for word in ("Hold", "nothing", "back", "that", "is", "ready", "."):
        yield f"{word} "
        await asyncio.sleep(0.1)


@app.get("/rows")
def rows(request: Request, numbers: Annotated[range, Depends(table)], stream: Stream) -> Response:
    """JSON values, one per line, while the session is open."""
    host = request.client.host if request.client else None
    return stream({"row": number, "to": host} for number in numbers)


@app.get("/events")
def events(stream: Stream) -> Response:
    """Events, resumed after the last one that the client has."""

    async def ticks() -> AsyncIterator[sa.ServerSentEvent]:
        first = int(stream.last_event_id or -1) + 1
        for number in range(first, first + 5):
            yield sa.ServerSentEvent({"tick": number}, id=str(number))
            await asyncio.sleep(0.1)

    return stream(sa.sse(ticks()))


@app.get("/report.csv")
def report(stream: Stream) -> Response:
    """A download."""
    lines = (f"{number},{number * number}\n" for number in range(1000))
    return stream(lines, media_type="text/csv", headers={"Content-Disposition": "attachment"})


@app.get("/secret")
@streaming
async def secret() -> AsyncIterator[str]:
    """An error before the first item is an ordinary 403."""
    raise HTTPException(403)
    yield "never sent"
