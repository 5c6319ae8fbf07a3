"""Starlette, with its own StreamingResponse."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .mending import either_asgi, source


async def stream(request: Request) -> Response:
    body: Any = source(request.path_params["name"], request.path_params["way"])
    return StreamingResponse(body)


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


app = either_asgi(Starlette(routes=[Route("/stream/{name}/{way}/{options}", stream), Route("/hello", hello)]))
