"""The samples, as they are written on the page; only the imports and the routes' names are changed.

`app` is whatever has a `get` that takes `streaming=True`: Flask and FastAPI once StreamAdapter is installed.
"""
# The samples carry no annotations, and stay as they are:
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# pyright: basic

from __future__ import annotations

import asyncio
import json
import queue
import random
import time
from typing import Any

import stream_adapter as sa
from stream_adapter import html
from tests.support.gate import BOUND

endings: queue.SimpleQueue[str] = queue.SimpleQueue()


def Response(**options: Any) -> sa.Response:
    """Make one that says why it ended."""
    return sa.Response(on_close=lambda summary: endings.put(summary.reason), **options)


def wait_for_ending(reason: str) -> str:
    """Wait until a stream has ended for `reason`."""
    while (ended := endings.get(timeout=BOUND)) != reason:
        pass
    return ended


def mount(app: Any) -> None:
    mount_basic_usage(app)
    mount_supported_types(app)
    mount_use_cases(app)
    mount_best_practices(app)
    mount_helpers(app)


def mount_basic_usage(app: Any) -> None:
    @app.get("/stream", streaming=True)
    async def stream():
        async def generator():
            for i in range(5):
                yield f"Chunk {i}\n".encode()

        return Response(status_code=200, headers={"Content-Type": "text/plain"}, description=generator())

    @app.get("/returned")
    async def returned():
        async def generator():
            for i in range(5):
                yield f"Chunk {i}\n".encode()

        return generator()  # it is automatically detected as a streaming response


def mount_supported_types(app: Any) -> None:
    @app.get("/types/binary")
    async def binary():
        async def generator():
            yield b"Binary data"

        return generator()

    @app.get("/types/text")
    async def text():
        async def generator():
            yield "String data".encode()  # noqa: UP012  # as on the page

        return generator()

    @app.get("/types/numbers")
    async def numbers():
        async def generator():
            yield str(42).encode()

        return generator()

    @app.get("/types/json")
    async def json_data():
        async def generator():
            import json  # noqa: PLC0415  # as on the page

            data = {"key": "value"}
            yield json.dumps(data).encode()

        return generator()

    @app.get("/types/unencoded")
    async def unencoded():
        async def generator():
            yield "data"  # "will fail" on the page; here it is encoded
            yield 42

        return generator()

    @app.get("/types/values")
    async def values():
        async def generator():
            yield {"key": "value"}
            yield 42

        return generator()

    @app.get("/types/strict", streaming=True)
    async def strict():
        async def generator():
            yield "data"

        return Response(description=generator(), strict=True)


def mount_use_cases(app: Any) -> None:
    @app.get("/events", streaming=True)
    async def sse():
        async def event_generator():
            while True:
                data = {"time": time.time(), "event": "update"}
                yield f"data: {json.dumps(data)}\n\n".encode()
                await asyncio.sleep(1)

        return Response(
            status_code=200,
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "Connection": "keep-alive"},
            description=event_generator(),
        )

    @app.get("/download", streaming=True)
    async def download():
        async def file_generator():
            chunk_size = 8192  # 8KB chunks
            with open("large_file.bin", "rb") as f:  # noqa: ASYNC230  # as on the page
                while chunk := f.read(chunk_size):
                    yield chunk

        return Response(
            status_code=200,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Disposition": "attachment; filename=file.bin",
            },
            description=file_generator(),
        )

    @app.get("/csv", streaming=True)
    async def csv():
        async def csv_generator():
            # Write headers
            yield "id,name,value\n".encode()  # noqa: UP012  # as on the page

            # Stream data rows
            for i in range(1000):
                row = f"{i},item-{i},{random.randint(1, 100)}\n"
                yield row.encode()
                await asyncio.sleep(0.01)  # Simulate processing time

        return Response(
            status_code=200,
            headers={"Content-Type": "text/csv", "Content-Disposition": "attachment; filename=data.csv"},
            description=csv_generator(),
        )


def mount_best_practices(app: Any) -> None:
    items = [1, 2, 0, 3]

    def process(item):
        return f"{6 // item}\n"

    @app.get("/errors")
    async def errors():
        async def generator():
            try:
                for item in items:
                    yield process(item)
            except Exception as e:
                yield f"Error: {str(e)}".encode()  # noqa: RUF010  # as on the page
                return

        return generator()

    @app.get("/memory")
    async def memory():
        async def generator():
            for i in range(1000000):
                yield str(i).encode()

        return generator()


def mount_helpers(app: Any) -> None:
    @app.get("/stream-html", streaming=True)
    async def stream_html():
        async def generator():
            yield "<html><body>"
            for i in range(5):
                yield f"<p>Chunk {i}</p>"
                await asyncio.sleep(0.1)
            yield "</body></html>"

        return html(generator(), streaming=True)
