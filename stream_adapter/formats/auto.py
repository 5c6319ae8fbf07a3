"""No format named: the first item's type decides, and the Content-Type follows it."""

from __future__ import annotations

from functools import partial

from stream_adapter._encode import ChunkTable, Encode, kind_of

from ._base import ChunkFormat, Format, FormatEncoder
from .ndjson import NDJSON
from .sse import SSE, ServerSentEvent
from .text import Text

__all__ = ["Auto"]


class Octets(ChunkFormat):
    """Bytes of no particular type."""


class Auto(ChunkFormat):
    """Bytes → application/octet-stream; text, number → text/plain; JSON values → NDJSON; ServerSentEvent → SSE.

    Args:
        text_media_type: the media type of text, which in Flask is text/html.
    """

    def __init__(self, text_media_type: str = "text/plain") -> None:
        self.text: Text = Text(text_media_type)
        self.media_type: str = text_media_type

    def encoder(self, *, strict: bool, charset: str) -> _AutoEncoder:
        """Make the encoder of one stream, which is undecided."""
        return _AutoEncoder(self, strict=strict, charset=charset)

    def choose(self, cls: type, *, strict: bool) -> Format:
        """Return the format of a stream whose first item is a `cls`."""
        kind = kind_of(cls)
        if strict or kind == "bytes":
            return Octets()
        if issubclass(cls, ServerSentEvent):
            return SSE()
        return NDJSON() if kind == "json" else self.text


class _AutoEncoder(FormatEncoder):
    """Undecided until its table is first asked for a type, or the stream is committed or ends without an item."""

    __slots__ = ("_auto", "_chosen", "_new")

    def __init__(self, auto: Auto, *, strict: bool, charset: str) -> None:
        super().__init__(auto, ChunkTable(self._resolve))
        self._auto = auto
        self._chosen: dict[str, FormatEncoder] = {}
        self._new = partial(_new_encoder, auto, strict=strict, charset=charset)

    def _resolve(self, cls: type) -> Encode:
        return (self._chosen.get("it") or self._choose(cls)).table[cls]

    def _choose(self, cls: type | None) -> FormatEncoder:
        # dict.setdefault is atomic: the source's thread and a commit that waits no longer agree on one choice
        chosen = self._chosen.setdefault("it", self._new(cls))
        self.format: Format = chosen.format
        return chosen

    def settle(self) -> Format:
        """Return the format that the headers announce; without an item it is text."""
        return (self._chosen.get("it") or self._choose(None)).format

    def finish(self) -> bytes:
        """Return what follows the last item."""
        return (self._chosen.get("it") or self._choose(None)).finish()


def _new_encoder(auto: Auto, cls: type | None, *, strict: bool, charset: str) -> FormatEncoder:  # partial's
    format = auto.text if cls is None else auto.choose(cls, strict=strict)
    return format.encoder(strict=strict, charset=charset)
