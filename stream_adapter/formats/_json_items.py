"""What the JSON formats share: every item is one JSON value, whatever it is. Text is quoted, and None is null."""

from __future__ import annotations

from typing import Any

from stream_adapter._encode import Encode

from ._base import Format, FormatEncoder, encoder_of
from ._published import Published

__all__ = ["JSONItems"]


class JSONItems(Format):
    """Items that one function encodes.

    Args:
        encode: value → what stands for it in the stream, without separator.
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
