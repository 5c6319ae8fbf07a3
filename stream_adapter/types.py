"""The types of the public functions, for annotations."""

from ._types import (
    ASGIApp,
    Chunk,
    Environ,
    ExcInfo,
    Flush,
    HeadersInput,
    JSONDumps,
    Message,
    Reason,
    Receive,
    Scope,
    Send,
    Source,
    StartResponse,
    WSGIApp,
)

__all__ = [
    "ASGIApp",
    "Chunk",
    "Environ",
    "ExcInfo",
    "Flush",
    "HeadersInput",
    "JSONDumps",
    "Message",
    "Reason",
    "Receive",
    "Scope",
    "Send",
    "Source",
    "StartResponse",
    "WSGIApp",
]
