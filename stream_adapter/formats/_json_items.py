"""What the JSON formats share: every item is one JSON value, whatever it is. Text is quoted, and None is null."""

from __future__ import annotations

from typing import Any

from stream_adapter._encode import Encode

from ._base import Format, FormatEncoder, encoder_of

__all__ = ["JSONItems"]


class JSONItems(Format):
    """Items that one function encodes.

    Args:
        encode: value → what stands for it in the stream, without separator.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode

    def encode(self, item: Any) -> bytes:
        """Encode one item."""
        return self._encode(item)

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream; JSON is always UTF-8 (RFC 8259, 8.1)."""
        del strict, charset
        return encoder_of(self, self._encode)
