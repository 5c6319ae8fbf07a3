"""In FastAPI, whose exception handler answers what is not found."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

import stream_adapter as sa
from stream_adapter_fastapi import StreamAdapter
from tests.files.apps.plain import respond

app = FastAPI()
StreamAdapter(app)


@app.exception_handler(404)
async def not_found(_request: Request, _error: HTTPException) -> PlainTextResponse:
    return PlainTextResponse("the framework's own", 404)


@app.api_route("/{name:path}", methods=["GET", "HEAD"])
async def send(name: str) -> sa.Response:
    return respond(name)
