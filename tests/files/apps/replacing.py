"""A file that is replaced between the head of its response and what follows it."""

from __future__ import annotations

import os
from pathlib import Path

import stream_adapter as sa
from stream_adapter.types import Message, Receive, Scope, Send

FILES = Path(os.environ.get("FILES", "."))


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    path = FILES / scope.get("path", "").removeprefix("/")

    async def replace_and_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            fresh = path.with_name("fresh")
            fresh.write_bytes(b"n" * (path.stat().st_size + 1))
            fresh.rename(path)
        else:
            await send(message)

    await sa.file(path)(scope, receive, replace_and_send)
