"""A view whose items have a model, for FastAPI and for stream_adapter in it."""

from __future__ import annotations

from collections.abc import AsyncIterable

from pydantic import BaseModel

from benchmarks.sources import source_for

__all__ = ["Item", "view"]


class Item(BaseModel):
    """What a row is."""

    id: int
    name: str
    ok: bool


async def view(path: str) -> AsyncIterable[Item]:
    """Yield mappings, which FastAPI and stream_adapter check and serialize by the model."""
    async for item in source_for(path):
        yield item
