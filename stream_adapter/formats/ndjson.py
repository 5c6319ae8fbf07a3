"""Newline-delimited JSON: one compact value a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_adapter._json import dump_json

from ._base import NO_BUFFERING, Format
from ._problem import PROBLEM

__all__ = ["NDJSON"]


class NDJSON(Format):
    r"""One JSON value and `\n` an item: text is quoted, None is null.

    A stream that fails ends with one line, `{"error": {…}}`, that holds a generic problem (RFC 9457), and then breaks.
    """

    media_type: str = "application/x-ndjson"
    headers: Mapping[str, str] = NO_BUFFERING

    def encode(self, item: Any) -> bytes:
        """Encode one line."""
        return dump_json(item) + b"\n"

    def error_record(self) -> bytes:
        """Return the line that says it failed."""
        return dump_json({"error": PROBLEM}) + b"\n"
