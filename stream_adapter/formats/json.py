"""The JSON formats: lines, one array, or a sequence. Every item is one JSON value: text is quoted, and None is null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_adapter._encode import Encode
from stream_adapter._json import dump_json, dump_json_line, dumper_of
from stream_adapter.errors import ChunkValueError
from stream_adapter.types import JSONDumps

from ._base import NO_BUFFERING, PROBLEM, Format, FormatEncoder, encoder_of, problem_of
from ._published import Ending, Published

__all__ = ["NDJSON", "JSONArray", "JSONSeq"]


class JSONItems(Format):
    """Items that one function encodes.

    Args:
        encode: value → its bytes in the stream, without separator.
        is_shared: whether every format of this class encodes so, and what a broker publishes is encoded once for all.
    """

    def __init__(self, encode: Encode, *, is_shared: bool) -> None:
        self._encode = encode
        self._key = type(self) if is_shared else None

    def encode(self, item: Any) -> bytes:
        """Encode one item."""
        return self._encode_published(item) if isinstance(item, Published) else self._encode(item)

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream; JSON is always UTF-8 (RFC 8259, 8.1)."""
        del strict, charset
        return encoder_of(self, self._encode, self._encode_published)

    def _encode_published(self, item: Published) -> bytes:
        return item.json(self._key, self._encode)

    def _encode_end(self, ending: Ending) -> bytes:
        """Return the item that says how a run ended."""
        if ending.is_failure:
            return self._encode({"id": ending.id, "error": problem_of(ending)})
        return self._encode({"id": ending.id, "event": "stream-end", "data": {"status": ending.status}})


class NDJSON(JSONItems):
    r"""One JSON value and `\n` per item: text is quoted, None is null.

    A stream that fails ends with one line, `{"error": {…}}`, that holds a generic problem (RFC 9457), and then breaks.
    What `on_error` returns takes that line's place.

    Args:
        json_dumps: encodes an item in place of the library's own encoder, as one line of text or UTF-8.

    Raises:
        TypeError: `json_dumps` is not a function.
    """

    media_type: str = "application/x-ndjson"
    headers: Mapping[str, str] = NO_BUFFERING

    def __init__(self, json_dumps: JSONDumps | None = None) -> None:
        super().__init__(dump_json_line if json_dumps is None else _line_by(json_dumps), is_shared=json_dumps is None)

    def error_record(self) -> bytes:
        """Return the line that says it failed."""
        return dump_json_line({"error": PROBLEM})

    def encode_ending(self, ending: Ending) -> bytes:
        """Return the line that says how a run ended."""
        return self._encode_end(ending)


def _line_by(json_dumps: JSONDumps) -> Encode:
    dump = dumper_of(json_dumps)

    def encode(item: object) -> bytes:
        encoded = dump(item)
        if b"\n" in encoded:
            raise ChunkValueError("json_dumps: expected it to return one line, got several; NDJSON has one a value")
        return encoded + b"\n"

    return encode


class JSONArray(JSONItems):
    """Each item an element: `[]` for none. It is closed only when all of them are in it, never after an error.

    Half an array is of no use to a parser, so a block may be filled before it is sent.

    Args:
        json_dumps: encodes an item in place of the library's own encoder, as text or UTF-8.

    Raises:
        TypeError: `json_dumps` is not a function.
    """

    media_type: str = "application/json"
    prefix: bytes = b"["
    separator: bytes = b","
    suffix: bytes = b"]"
    bulk: bool = True

    def __init__(self, json_dumps: JSONDumps | None = None) -> None:
        super().__init__(dumper_of(json_dumps), is_shared=json_dumps is None)


class JSONSeq(JSONItems):
    r"""Record separator (0x1E), JSON value and `\n` per item.

    A sequence has no end that could be missing. So a stream that fails ends with an element that is cut short, which a
    parser must not take for a value (RFC 7464, 2.3 and 2.4), and then breaks. What `on_error` returns takes its place.

    Args:
        json_dumps: encodes an item in place of the library's own encoder, as text or UTF-8; it may have several lines.

    Raises:
        TypeError: `json_dumps` is not a function.
    """

    media_type: str = "application/json-seq"
    headers: Mapping[str, str] = NO_BUFFERING

    def __init__(self, json_dumps: JSONDumps | None = None) -> None:
        dump = dumper_of(json_dumps)

        def encode(item: object) -> bytes:
            encoded = dump(item)
            if 30 in encoded:  # JSON escapes it, also within text
                raise ChunkValueError("expected JSON, got a record separator inside it")
            return b"\x1e%b\n" % encoded

        super().__init__(encode, is_shared=json_dumps is None)

    def error_record(self) -> bytes:
        """Return an element that is not a value: an object that is never closed."""
        return b"\x1e" + dump_json({"error": PROBLEM}).removesuffix(b"}")

    def encode_ending(self, ending: Ending) -> bytes:
        """Return the element that says how a run ended; one that failed is not closed, as `error_record`."""
        encoded = self._encode_end(ending)
        return encoded.rstrip(b"\n").removesuffix(b"}") if ending.is_failure else encoded
