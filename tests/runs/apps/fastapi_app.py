from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from stream_adapter_fastapi import stream_response
from tests.runs.apps import arespond

app = FastAPI()


@app.get("/{_:path}")
async def get(request: Request) -> Response:
    return stream_response(await arespond(request.url.path, request.query_params))
