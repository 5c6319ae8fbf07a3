"""JSON text sequences (RFC 7464)."""

from __future__ import annotations

from collections.abc import Mapping

from stream_adapter._json import dump_json, dumper_of
from stream_adapter.errors import ChunkValueError
from stream_adapter.types import JSONDumps

from ._base import NO_BUFFERING
from ._json_items import JSONItems
from ._problem import PROBLEM

__all__ = ["JSONSeq"]


class JSONSeq(JSONItems):
    r"""Record separator (0x1E), JSON value, `\n`: an item.

    A sequence has no end that could be missing. So a stream that fails ends with an element that is cut short, which a
    parser must not take for a value (RFC 7464, 2.3 and 2.4), and then breaks. What `on_error` returns takes its place.

    Args:
        json_dumps: encodes an item in place of the library's own encoder, as text or UTF-8; it may have several lines.

    Raises:
        TypeError: `json_dumps` is no function.
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
        """Return the element that is no value: an object that is never closed."""
        return b"\x1e" + dump_json({"error": PROBLEM}).removesuffix(b"}")
