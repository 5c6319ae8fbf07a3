"""One server-sent event (WHATWG HTML, 9.2.6), and the lines that its fields are."""

from __future__ import annotations

import re

from stream_adapter._json import dump_json
from stream_adapter.errors import ChunkEncodingError, ChunkValueError

__all__ = ["ServerSentEvent", "lines_of"]

_NEWLINE = re.compile(rb"\r\n?|\n")  # and no other: U+2028, NEL, VT and FF are data


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
        put = object.__setattr__
        put(self, "data", data)
        put(self, "event", event)
        put(self, "id", id)
        put(self, "retry", retry)
        put(self, "comment", comment)
        put(self, "encoded", _encode(data, event, id, retry, comment))

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


def lines_of(field: bytes, encoded: bytes) -> bytes:
    r"""Return a field's lines: one for each of the value's, however those end.

    Args:
        field: what a line begins with, `b"data: "` or `b": "`.
        encoded: the value, in UTF-8, in which CR and LF are bytes of their own.
    """
    if b"\n" in encoded or b"\r" in encoded:
        encoded = _NEWLINE.sub(b"\n" + field, encoded)
    return b"%b%b\n" % (field, encoded)


def _encode(data: object, event: str | None, event_id: str | None, retry: int | None, comment: str | None) -> bytes:
    frame = b""
    if comment is not None:
        frame = lines_of(b": ", _text("comment", comment))
    if event is not None:
        frame += b"event: %b\n" % _line("event", event)
    if event_id is not None:
        frame += b"id: %b\n" % _line("id", event_id)
    if retry is not None:
        frame += b"retry: %d\n" % _milliseconds(retry)
    if data is not None:
        frame += lines_of(b"data: ", _text("data", data) if isinstance(data, str) else dump_json(data))
    if not frame:
        raise ChunkValueError("ServerSentEvent: expected data, event, id, retry or comment, got none of them")
    return frame + b"\n"


def _text(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise ChunkEncodingError(f"ServerSentEvent.{name}: expected text, got {type(value).__name__}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise ChunkValueError(f"ServerSentEvent.{name}: expected text, got a lone surrogate") from error


def _line(name: str, value: object) -> bytes:
    text = _text(name, value)
    if b"\n" in text or b"\r" in text or b"\0" in text:
        raise ChunkValueError(f"ServerSentEvent.{name}: expected text without CR, LF and NUL, got {value!r}")
    return text


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ChunkEncodingError(f"ServerSentEvent.retry: expected whole milliseconds, got {type(value).__name__}")
    if value < 0:
        raise ChunkValueError(f"ServerSentEvent.retry: expected 0 or more milliseconds, got {value}")
    return value
