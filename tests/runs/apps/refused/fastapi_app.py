from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from stream_adapter import BrokerUnavailableError
from stream_adapter_fastapi import StreamAdapter, streaming
from tests.runs.apps.refused import ASYNC_WAYS, WAYS

app, adapted, handled = FastAPI(), FastAPI(), FastAPI()
for each in (adapted, handled):
    StreamAdapter(each)


@adapted.get("/plain/{way}")
@handled.get("/plain/{way}")
def plain(way: str) -> Any:
    return WAYS[way]()


@adapted.get("/plain_async/{way}")
async def plain_async(way: str) -> Any:
    return await ASYNC_WAYS[way]()


@app.get("/decorated/{way}")
@adapted.get("/decorated/{way}")
@streaming
def decorated(way: str) -> Any:
    return WAYS[way]()


@app.get("/decorated_async/{way}")
@streaming
async def decorated_async(way: str) -> Any:
    return await ASYNC_WAYS[way]()


@handled.exception_handler(BrokerUnavailableError)
async def answer(_: Request, __: Exception) -> Response:
    return JSONResponse("of its class", 502)


app.mount("/adapted", adapted)
app.mount("/handled", handled)
