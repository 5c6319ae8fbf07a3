"""Plain WSGI, where the master process has streamed an async source before it forks its workers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import stream_adapter as sa

from .plain_wsgi import app

__all__ = ["app"]


async def in_the_master() -> AsyncGenerator[bytes]:
    yield b"streamed before the fork"


assert list(sa.iter_bytes(in_the_master())) == [b"streamed before the fork"]
