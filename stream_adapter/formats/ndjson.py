"""Newline-delimited JSON: one compact value a line."""

from __future__ import annotations

from collections.abc import Mapping

from stream_adapter._encode import Encode
from stream_adapter._json import dump_json_line, dumper_of
from stream_adapter.errors import ChunkValueError
from stream_adapter.types import JSONDumps

from ._base import NO_BUFFERING
from ._json_items import JSONItems
from ._problem import PROBLEM

__all__ = ["NDJSON"]


class NDJSON(JSONItems):
    r"""One JSON value and `\n` an item: text is quoted, None is null.

    A stream that fails ends with one line, `{"error": {…}}`, that holds a generic problem (RFC 9457), and then breaks.
    What `on_error` returns takes that line's place.

    Args:
        json_dumps: encodes an item in place of the library's own encoder, as one line of text or UTF-8.

    Raises:
        TypeError: `json_dumps` is no function.
    """

    media_type: str = "application/x-ndjson"
    headers: Mapping[str, str] = NO_BUFFERING

    def __init__(self, json_dumps: JSONDumps | None = None) -> None:
        super().__init__(dump_json_line if json_dumps is None else _line_by(json_dumps), is_shared=json_dumps is None)

    def error_record(self) -> bytes:
        """Return the line that says it failed."""
        return dump_json_line({"error": PROBLEM})


def _line_by(json_dumps: JSONDumps) -> Encode:
    dump = dumper_of(json_dumps)

    def encode(item: object) -> bytes:
        encoded = dump(item)
        if b"\n" in encoded:
            raise ChunkValueError("json_dumps: expected it to return one line, got several; NDJSON has one a value")
        return encoded + b"\n"

    return encode
