"""Text and markup, shown by a browser as they come."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ._base import NO_BUFFERING, ChunkFormat

__all__ = ["HTML", "Text"]


class Text(ChunkFormat):
    """Chunks of text, shown as they arrive and never sniffed for another type.

    Args:
        media_type: another text type, for a framework whose plain generators have one.
    """

    headers: Mapping[str, str] = MappingProxyType({**NO_BUFFERING, "X-Content-Type-Options": "nosniff"})

    def __init__(self, media_type: str = "text/plain") -> None:
        self.media_type: str = media_type
        if media_type != "text/plain":
            self.headers: Mapping[str, str] = NO_BUFFERING


class HTML(ChunkFormat):
    """Chunks of markup."""

    media_type: str = "text/html"
    headers: Mapping[str, str] = NO_BUFFERING
