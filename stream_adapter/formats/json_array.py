"""One JSON array (RFC 8259) of all items."""

from __future__ import annotations

from stream_adapter._json import dumper_of
from stream_adapter.types import JSONDumps

from ._json_items import JSONItems

__all__ = ["JSONArray"]


class JSONArray(JSONItems):
    """Each item an element: `[]` for none. It is closed only when all of them are in it, never after an error.

    Nobody reads half an array, so a block may be filled before it is sent.

    Args:
        json_dumps: encodes an item in place of the library's own encoder, as text or UTF-8.

    Raises:
        TypeError: `json_dumps` is no function.
    """

    media_type: str = "application/json"
    prefix: bytes = b"["
    separator: bytes = b","
    suffix: bytes = b"]"
    bulk: bool = True

    def __init__(self, json_dumps: JSONDumps | None = None) -> None:
        super().__init__(dumper_of(json_dumps), is_shared=json_dumps is None)
