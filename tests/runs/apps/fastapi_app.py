from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from stream_adapter_fastapi import stream_response
from tests.runs.apps import arespond, run_of

app = FastAPI()


@app.get("/start/{key}")
async def start(request: Request, key: str) -> str | None:
    return (await run_of(key, request.query_params).astart()).id


@app.get("/{_:path}")
async def get(request: Request) -> Response:
    return stream_response(await arespond(request.url.path, request.query_params))
