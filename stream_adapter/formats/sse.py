"""Server-sent events, to the WHATWG HTML standard, section 9.2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stream_adapter._encode import ChunkTable
from stream_adapter._json import dump_json
from stream_adapter._limits import check_seconds
from stream_adapter.errors import ChunkEncodingError, ChunkValueError

from ._base import NO_BUFFERING, Format, FormatEncoder
from ._problem import PROBLEM

__all__ = ["SSE", "ServerSentEvent"]

_NEWLINE = re.compile(r"\r\n|\r|\n")  # and no other: U+2028, NEL, VT and FF are data


class ServerSentEvent:
    r"""One event, checked and encoded when it is made, so that sending it to many costs nothing more.

    Args:
        data: text is sent raw, each of its lines (CRLF, CR or LF) in a `data` field of its own; anything else but None
            is sent as JSON; None sends no data, and a client then dispatches no event.
        event: the event's type; without one it is a "message".
        id: what a client that reconnects sends as Last-Event-ID; "" resets it.
        retry: milliseconds a client waits before it reconnects.
        comment: lines that a client ignores.

    Raises:
        ChunkValueError: `event` or `id` holds CR, LF or NUL; `retry` is negative; text holds a lone surrogate.
        ChunkEncodingError: a field is of another type.
    """

    __slots__ = ("comment", "data", "encoded", "event", "id", "retry")

    data: object
    event: str | None
    id: str | None
    retry: int | None
    comment: str | None
    encoded: bytes

    def __init__(
        self,
        data: object = None,
        event: str | None = None,
        id: str | None = None,  # noqa: A002  # the standard's name of the field
        retry: int | None = None,
        comment: str | None = None,
    ) -> None:
        fields = {"data": data, "event": event, "id": id, "retry": retry, "comment": comment}
        for name, value in {**fields, "encoded": _encode(data, event, id, retry, comment)}.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"ServerSentEvent.{name}: an event cannot be changed; make another")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"ServerSentEvent.{name}: an event cannot be changed; make another")

    def __eq__(self, other: object) -> bool:
        return self.encoded == other.encoded if isinstance(other, ServerSentEvent) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.encoded)

    def __repr__(self) -> str:
        fields = ((name, getattr(self, name)) for name in ("data", "event", "id", "retry", "comment"))
        return f"ServerSentEvent({', '.join(f'{name}={value!r}' for name, value in fields if value is not None)})"


def _encode(data: object, event: str | None, event_id: str | None, retry: int | None, comment: str | None) -> bytes:
    lines: list[str] = []
    if comment is not None:
        lines += [f": {line}" for line in _NEWLINE.split(_text("comment", comment))]
    if event is not None:
        lines.append(f"event: {_line('event', event)}")
    if event_id is not None:
        lines.append(f"id: {_line('id', event_id)}")
    if retry is not None:
        lines.append(f"retry: {_milliseconds(retry)}")
    if data is not None:
        text = data if isinstance(data, str) else dump_json(data).decode()
        lines += [f"data: {line}" for line in _NEWLINE.split(text)]
    if not lines:
        raise ChunkValueError("ServerSentEvent: expected data, event, id, retry or comment, got none of them")
    try:
        return "\n".join([*lines, "", ""]).encode()
    except UnicodeEncodeError as error:
        raise ChunkValueError("ServerSentEvent: expected text, got a lone surrogate") from error


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ChunkEncodingError(f"ServerSentEvent.{name}: expected text, got {type(value).__name__}")
    return value


def _line(name: str, value: object) -> str:
    text = _text(name, value)
    if any(character in text for character in "\r\n\0"):
        raise ChunkValueError(f"ServerSentEvent.{name}: expected text without CR, LF and NUL, got {text!r}")
    return text


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ChunkEncodingError(f"ServerSentEvent.retry: expected whole milliseconds, got {type(value).__name__}")
    if value < 0:
        raise ChunkValueError(f"ServerSentEvent.retry: expected 0 or more milliseconds, got {value}")
    return value


def _encode_text(text: str) -> bytes:
    encoded = text.encode()
    if b"\n" in encoded or b"\r" in encoded:
        return ServerSentEvent(text).encoded
    return b"data: " + encoded + b"\n\n"


def _encode_bytes(value: object) -> bytes:
    raise ChunkEncodingError(
        f"sse takes ServerSentEvent, text and JSON values, got {type(value).__name__}; events that are framed already"
        " go out with media_type='text/event-stream' and no format"
    )


def _encode_event(event: ServerSentEvent) -> bytes:
    return event.encoded


def _encode_json(value: object) -> bytes:
    return b"data: " + dump_json(value) + b"\n\n"


def _function(cls: type[Any]) -> Any:
    if issubclass(cls, ServerSentEvent):
        return _encode_event
    if issubclass(cls, (bytes, bytearray, memoryview)):
        return _encode_bytes
    return _encode_text if issubclass(cls, str) else _encode_json


class SSE(Format):
    """Events: `ServerSentEvent`, text as raw data, anything else as JSON.

    A stream that fails sends one `event: error` with a generic problem (RFC 9457), and then breaks.

    Args:
        keepalive: seconds of silence after which a comment is sent; None for never.
        retry: milliseconds a client is told to wait before it reconnects; None says nothing.
    """

    media_type: str = "text/event-stream"
    headers: Mapping[str, str] = MappingProxyType(
        {"Cache-Control": "no-store, no-transform", **NO_BUFFERING, "X-Content-Type-Options": "nosniff"}
    )
    keepalive: float | None = 15.0
    keepalive_frame: bytes = b":\n\n"
    commit_after: float | None = 0.25

    def __init__(self, keepalive: float | None = 15.0, retry: int | None = 2000) -> None:
        check_seconds("keepalive", keepalive)
        self.keepalive: float | None = keepalive
        self.prefix: bytes = b"" if retry is None else ServerSentEvent(retry=retry).encoded

    def encode(self, item: Any) -> bytes:
        """Encode one event."""
        encoded: bytes = _function(item.__class__)(item)
        return encoded

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream; event streams are always UTF-8."""
        del strict, charset
        return FormatEncoder(self, ChunkTable(_function))

    def error_record(self) -> bytes:
        """Return the event that says it failed."""
        return ServerSentEvent(PROBLEM, event="error").encoded
