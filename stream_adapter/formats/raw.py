"""Chunks under a media type that the user sets: bytes and text pass, values are framed as the type requires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_adapter._encode import ChunkTable, Encode, kind_of
from stream_adapter._json import dump_json
from stream_adapter._media_types import JSON_LINES, LIVE, parameter_of, without_parameters
from stream_adapter.errors import ChunkEncodingError

from ._base import NO_BUFFERING, ChunkFormat, Format, FormatEncoder
from .csv import CSV
from .json import NDJSON, JSONArray, JSONSeq
from .sse import SSE

__all__ = ["Raw"]


def _framing(media_type: str) -> Format | None:
    """Return the format that a media type promises, a new one; None if it promises none that we have."""
    kind = without_parameters(media_type)
    if kind in JSON_LINES:
        return NDJSON()
    if kind == JSONSeq.media_type or kind.endswith("+json-seq"):
        return JSONSeq()
    if kind in {"text/csv", "text/tab-separated-values"}:
        dialect = "excel" if kind == "text/csv" else "excel-tab"
        return CSV(False, dialect=dialect) if parameter_of(media_type, "header") == "absent" else CSV(dialect=dialect)  # noqa: FBT003  # RFC 4180
    if kind == JSONArray.media_type:
        return JSONArray()
    return SSE() if kind == SSE.media_type else None


class Raw(ChunkFormat):
    """Chunks under a media type that is given.

    Bytes and text pass as they are: they are framed already. Any other value is framed as the type says, if it is that
    of NDJSON, a JSON array, a JSON sequence, CSV or events, and otherwise encoded by the chunk table. A `+json` type
    has one value.

    `text/event-stream` gets the headers and the keepalive that every event stream needs; a live type asks proxies not
    to buffer.

    Args:
        media_type: the whole Content-Type, parameters included.
    """

    def __init__(self, media_type: str) -> None:
        self.media_type: str = media_type
        kind = without_parameters(media_type)
        if kind == SSE.media_type:
            self.headers: Mapping[str, str] = SSE.headers
            self.keepalive: float | None = SSE.keepalive
            self.keepalive_frame: bytes = SSE.keepalive_frame
            self.commit_after: float | None = SSE.commit_after
        elif kind in LIVE:
            self.headers = NO_BUFFERING

    @property
    def framing(self) -> Format | None:
        """The format that frames values under this media type, a new one; None if it promises none."""
        return _framing(self.media_type)

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream."""
        framing = None if strict else self.framing
        if framing is None and not strict and without_parameters(self.media_type).endswith("+json"):
            return _DocumentEncoder(self, charset)
        if framing is None:
            return super().encoder(strict=strict, charset=charset)
        make = _ArrayEncoder if isinstance(framing, JSONArray) else _FramingEncoder
        return make(self, framing, charset)


class _Framed(Raw):
    """The format of a stream under a media type after its first value: it fails as the format does that frames it."""

    def __init__(self, raw: Raw, framing: Format) -> None:
        super().__init__(raw.media_type)
        self._framing = framing

    def error_item(self, record: Any) -> object:
        """Make what `on_error` returned an item of the stream."""
        return self._framing.error_item(record)

    def error_record(self) -> bytes | None:
        """Return what tells a reader that it failed."""
        return self._framing.error_record()


class _FramingEncoder(FormatEncoder):
    """Passes bytes and text, and frames values."""

    __slots__ = ("_chunks", "_framed", "_values")

    def __init__(self, raw: Raw, framing: Format, charset: str) -> None:
        super().__init__(raw, ChunkTable(self._function))
        self._chunks = ChunkTable.of_chunks(strict=False, charset=charset)
        self._values: FormatEncoder = framing.encoder(strict=False, charset=charset)
        self._framed: Format = _Framed(raw, framing)

    def _function(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded."""
        if not self._frames(cls):
            return self._chunks[cls]
        self.format: Format = self._framed
        return self._values.table[cls]

    def _frames(self, cls: type[Any]) -> bool:
        unframed = {"bytes", "text", "number"} if isinstance(self._values.format, CSV) else {"bytes", "text"}
        return kind_of(cls) not in unframed

    def explain(self, error: BaseException, item: object, index: int | None = None) -> BaseException:
        """Return an error that names the item and the reason."""
        return self._values.explain(error, item, index)

    def finish(self) -> bytes:
        """Return what the charset still owes at the end of the text."""
        return self._chunks.finish() + self._values.finish()


class _ArrayEncoder(FormatEncoder):
    """Under `application/json` the first item decides: values are elements of an array, bytes and text pass.

    A body that is one value is that document. Where bytes or text came first, what follows is written after them: the
    array, or whatever it is, is framed by hand.
    """

    __slots__ = ("_chunks", "_is_array", "_lead")

    def __init__(self, raw: Raw, framing: Format, charset: str) -> None:
        del framing
        super().__init__(raw, ChunkTable(self._function))
        self._chunks = ChunkTable.of_chunks(strict=False, charset=charset)
        self._is_array: bool | None = None  # not known yet
        self._lead = b"["

    def expect_only(self, cls: type) -> None:
        """Write one value as the document that it is."""
        del cls
        self._is_array = False

    def _function(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded, which is asked for the first item first."""
        if self._is_array is None:
            self._is_array = kind_of(cls) not in {"bytes", "text"}
        return self._element if self._is_array else self._chunks[cls]

    def _element(self, item: object) -> bytes:
        encoded = self._lead + dump_json(item)
        self._lead = b","
        return encoded

    def finish(self) -> bytes:
        """Return the end of the array, or what the charset still owes at the end of the text."""
        if self._is_array is None:
            return b"[]"
        return b"]" if self._is_array else self._chunks.finish()


class _DocumentEncoder(FormatEncoder):
    """Under `application/…+json` the body is one document: one value, or the bytes and text that the user frames."""

    __slots__ = ("_chunks", "_is_complete", "_is_framed")

    def __init__(self, raw: Raw, charset: str) -> None:
        super().__init__(raw, ChunkTable(self._function))
        self._chunks = ChunkTable.of_chunks(strict=False, charset=charset)
        self._is_framed = self._is_complete = False

    def _function(self, cls: type[Any]) -> Encode:
        """Return how an item of type `cls` is encoded, which is asked for the first item first."""
        if not self._is_complete and kind_of(cls) in {"bytes", "text"}:
            self._is_framed = True
        return self._document if not self._is_framed and kind_of(cls) not in {"bytes", "text"} else self._chunks[cls]

    def _document(self, item: object) -> bytes:
        if self._is_complete:
            raise ChunkEncodingError(
                f"expected one JSON value under {without_parameters(self.format.media_type)}, got another; json_array"
                "(…, media_type=…) makes an array of them, and ndjson(…) sends one a line"
            )
        self._is_complete = True
        return dump_json(item)

    def finish(self) -> bytes:
        """Return what the charset still owes at the end of the text."""
        return self._chunks.finish()
