"""Bytes whose media type the user names: headers that go with it, and no framing."""

from __future__ import annotations

from collections.abc import Mapping

from ._base import NO_BUFFERING, ChunkFormat
from .sse import SSE

__all__ = ["Raw"]

_LIVE = frozenset({"text/plain", "text/html", "application/x-ndjson", "application/jsonl", "application/json-seq"})


class Raw(ChunkFormat):
    """Chunks under a media type that is given, never reframed.

    `text/event-stream` gets the headers and the keepalive that every event stream needs; a live type asks proxies not
    to buffer.

    Args:
        media_type: the whole Content-Type, parameters included.
    """

    def __init__(self, media_type: str) -> None:
        self.media_type: str = media_type
        kind = media_type.partition(";")[0].strip().lower()
        if kind == SSE.media_type:
            self.headers: Mapping[str, str] = SSE.headers
            self.keepalive: float | None = SSE.keepalive
            self.keepalive_frame: bytes = SSE.keepalive_frame
            self.commit_after: float | None = SSE.commit_after
        elif kind in _LIVE:
            self.headers = NO_BUFFERING
