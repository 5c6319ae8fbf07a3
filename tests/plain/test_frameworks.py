"""The blocks of docs/how-to/plain.md, each with its framework: rows are streamed, one by one."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import tornado.httpserver
import tornado.netutil
from aiohttp import web

from stream_adapter.testing import stream_client
from tests.support.gate import BOUND
from tests.support.servers import ROOT

BLOCKS = dict(
    re.findall(
        r"^### (\w+)\n.*?^```python\n(.*?)^```", (ROOT / "docs/how-to/plain.md").read_text(), re.DOTALL | re.MULTILINE
    )
)
LINES = [b'{"id":1}\n', b'{"id":2}\n']


def app_of(name: str) -> tuple[Any, Callable[[], object]]:
    """Run the block; return its application, and what lets its second row come."""
    namespace: dict[str, Any] = {"__name__": f"docs_plain_{name.lower()}"}
    module = type(sys)(namespace["__name__"])
    sys.modules[module.__name__] = module  # Litestar looks its annotations up there
    with warnings.catch_warnings():
        exec(BLOCKS[name], module.__dict__)
    had_first = threading.Event()

    def rows() -> Iterator[dict[str, int]]:
        yield {"id": 1}
        assert had_first.wait(BOUND)
        yield {"id": 2}

    module.__dict__["rows"] = rows
    return module.__dict__["app"], had_first.set


@pytest.mark.parametrize("name", ["Starlette", "Litestar", "Quart", "Falcon", "Bottle", "Pyramid"])
def test_documented_program_of_a_framework_streams_rows(name: str) -> None:
    app, go_on = app_of(name)
    received: list[bytes] = []
    with stream_client(app) as client, client.stream("GET", "/rows") as response:
        for block in response.iter_raw():
            received.append(block)
            go_on()
        assert response.headers["content-type"] == "application/x-ndjson"
    assert received == LINES


@asynccontextmanager
async def served_by_tornado(app: Any) -> AsyncGenerator[int]:
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server = tornado.httpserver.HTTPServer(app)
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


@asynccontextmanager
async def served_by_aiohttp(app: Any) -> AsyncGenerator[int]:
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("name", "served"), [("Tornado", served_by_tornado), ("aiohttp", served_by_aiohttp)])
def test_documented_program_with_a_server_of_its_own_streams_rows(name: str, served: Any) -> None:
    app, go_on = app_of(name)

    async def fetch() -> list[bytes]:
        received: list[bytes] = []
        async with (
            served(app) as port,
            httpx.AsyncClient() as client,
            client.stream("GET", f"http://127.0.0.1:{port}/rows") as response,
        ):
            async for block in response.aiter_raw():
                received.append(block)
                go_on()
        return received

    assert asyncio.run(fetch()) == LINES


def test_each_framework_of_the_page_has_a_tested_block() -> None:
    assert set(BLOCKS) == {"Starlette", "Litestar", "Quart", "Falcon", "Bottle", "Pyramid", "Tornado", "aiohttp"}
