"""The application in FastAPI, with the lifespan of docs/how-to/shutdown.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import stream_adapter as sa
from tests.runs.apps.fastapi_app import app as routes


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    sa.drain_on_signal()
    yield
    await asyncio.to_thread(sa.drain, 1.0)


app = FastAPI(lifespan=lifespan)
app.mount("/", routes)
