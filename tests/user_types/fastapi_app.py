"""A FastAPI application that streams in each of the ways that the documentation has."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import stream_adapter as sa
from stream_adapter_fastapi import Stream, StreamAdapter, StreamResponse, StreamRouter, stream_response, streaming

app = FastAPI()
adapter = StreamAdapter(app, limits=sa.Limits(idle_timeout=60))
router = StreamRouter(prefix="/v1", tags=["rows"])


class Row(BaseModel):
    number: int


def limit(limit: int = 10) -> int:
    return limit


@app.get("/words")
@streaming
def words() -> Iterator[str]:
    yield "one"


@app.get("/ticks")
@streaming(media_type="text/csv")
async def ticks(count: Annotated[int, Depends(limit)]) -> AsyncIterator[str]:
    for number in range(count):
        yield f"{number}\n"


@app.get("/events")
@streaming.sse(keepalive=5, end="over")
async def events() -> AsyncIterator[Row]:
    yield Row(number=1)


@app.get("/silent")
@streaming.sse
async def silent() -> AsyncIterator[Row]:
    yield Row(number=1)


@app.get("/export")
@streaming.csv(("number",), filename="rows.csv")
def export() -> Iterator[Row]:
    yield Row(number=1)


@app.get("/rows", response_model=list[Row])
async def rows(stream: Stream, response: Response) -> StreamResponse:
    response.set_cookie("seen", "1")
    return stream(typed_rows(), status_code=202)


@app.get("/migrated")
async def migrated(stream: Stream) -> StreamingResponse:
    return stream(sa.sse(typed_rows(), keepalive=5))


@adapter.get("/adapted", streaming=True, tags=["rows"])
async def adapted() -> AsyncIterator[Row]:
    yield Row(number=1)


@router.post("/chat", streaming=True)
async def chat(request: Request) -> AsyncIterator[str]:
    yield str(await request.json())


async def typed_rows() -> AsyncIterator[Row]:
    yield Row(number=1)


async def starlette_view(request: Request) -> Response:
    return stream_response(sa.ndjson(typed_rows()))


app.include_router(router)
