"""HTML, rendered by the browser as it comes."""

from __future__ import annotations

from ._base import NO_BUFFERING, ChunkFormat

__all__ = ["HTML"]


class HTML(ChunkFormat):
    """Chunks of markup."""

    media_type = "text/html"
    headers = NO_BUFFERING
