"""HTML, rendered by the browser as it comes."""

from __future__ import annotations

from collections.abc import Mapping

from ._base import NO_BUFFERING, ChunkFormat

__all__ = ["HTML"]


class HTML(ChunkFormat):
    """Chunks of markup."""

    media_type: str = "text/html"
    headers: Mapping[str, str] = NO_BUFFERING
