"""No format named: the first item's type decides, and the Content-Type follows it."""

from __future__ import annotations

from stream_adapter._encode import ChunkTable, kind_of

from ._base import ChunkFormat, Format, FormatEncoder
from .ndjson import NDJSON
from .raw import Raw
from .sse import SSE, ServerSentEvent
from .text import Text

__all__ = ["Auto"]


class Octets(ChunkFormat):
    """Bytes of no particular type."""


_OCTETS, _NDJSON, _SSE, _JSON = Octets(), NDJSON(), SSE(), Raw("application/json")


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
            return _OCTETS
        if issubclass(cls, ServerSentEvent):
            return _SSE
        return _NDJSON if kind == "json" else self.text


class _AutoEncoder(FormatEncoder):
    """Undecided until its table is first asked for a type, or the stream is committed or ends without an item."""

    __slots__ = ("_auto", "_charset", "_chosen", "_strict")

    def __init__(self, auto: Auto, *, strict: bool, charset: str) -> None:
        super().__init__(auto, ChunkTable(lambda cls: self._settled(cls).table[cls]))
        self._auto = auto
        self._strict = strict
        self._charset = charset
        self._chosen: dict[str, FormatEncoder] = {}

    def _settled(self, cls: type | None = None) -> FormatEncoder:
        """Return what is chosen, and choose by the type of the first item if nothing is; without one it is text."""
        if "it" not in self._chosen:
            self._choose(self._auto.text if cls is None else self._auto.choose(cls, strict=self._strict))
        return self._chosen["it"]

    def _choose(self, format: Format) -> None:
        # dict.setdefault is atomic: the source's thread and a commit that waits no longer agree on one choice
        chosen = self._chosen.setdefault("it", format.encoder(strict=self._strict, charset=self._charset))
        self.format: Format = chosen.format

    def expect_only(self, cls: type) -> None:
        """Choose JSON for one JSON value alone: it is a document, not a line of NDJSON."""
        if self._auto.choose(cls, strict=self._strict) is _NDJSON:
            self._choose(_JSON)

    def settle(self) -> Format:
        """Return the format that the headers announce."""
        return self._settled().format

    def finish(self) -> bytes:
        """Return what follows the last item."""
        return self._settled().finish()
