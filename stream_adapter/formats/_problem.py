"""What a client is told of a failure: that there was one, and nothing of the exception (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["PROBLEM"]

PROBLEM: Mapping[str, object] = MappingProxyType(
    {"type": "about:blank", "title": "Internal Server Error", "status": 500}
)
