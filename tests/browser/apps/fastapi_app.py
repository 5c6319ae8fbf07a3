"""The streams in FastAPI."""

from __future__ import annotations

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse

from stream_adapter.asgi import StreamAdapterMiddleware
from stream_adapter_fastapi import Stream
from tests.browser.apps import streams

app = FastAPI()
compressed = StreamAdapterMiddleware(app, compress=True)


@app.get("/")
async def page() -> Response:
    return HTMLResponse(streams.PAGE)


@app.get("/stream/{kind}/{way}/{key}")
async def stream(kind: str, way: str, key: str, stream: Stream) -> Response:
    return stream(streams.stream(kind, way, key, stream.last_event_id))


@app.get("/unadapted/{key}")
async def unadapted(key: str) -> Response:
    return StreamingResponse(streams.events("async", key), media_type="text/event-stream")


@app.get("/file/{name}")
async def file(name: str, stream: Stream) -> Response:
    return stream(streams.file(name))


@app.post("/tell/{key}/{command}")
async def tell(key: str, command: str) -> None:
    streams.tell(key, command)


@app.get("/asked/{key}")
async def asked(key: str) -> list[str | None]:
    return streams.asked(key)


@app.get("/closed/{key}")
def closed(key: str) -> Response:
    return PlainTextResponse(streams.wait_closed(key))
