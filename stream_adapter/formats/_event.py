"""Server-sent events (WHATWG HTML, 9.2.6): our class, the lines of the fields, and events of other libraries.

Events of FastAPI, sse-starlette and Litestar, and what httpx-sse and openai read from an upstream, are recognised by
the name of their class, so that no library is imported to look for them: classes called `ServerSentEvent`, or something
that contains it, with `data`, `event`, `id` and `retry`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from stream_adapter._json import dump_json
from stream_adapter._remedies import name_of
from stream_adapter._text import as_text, is_text
from stream_adapter.errors import ChunkEncodingError, ChunkValueError

__all__ = ["ServerSentEvent", "event_of", "is_event", "lines_of"]

_NEWLINE = re.compile(r"\r\n?|\n")  # and no other: U+2028, NEL, VT and FF are data


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

    # Not a dataclass: instances of those are JSON values, and an event in a stream of values must be an error
    __module__ = "stream_adapter"  # its public name, in errors and in pickles
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

    def __setstate__(self, state: tuple[Mapping[str, object] | None, ...]) -> None:
        for fields in filter(None, state):  # of a subclass's own, and of the slots
            for name, value in fields.items():
                object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return self.encoded == other.encoded if isinstance(other, ServerSentEvent) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.encoded)

    def __repr__(self) -> str:
        fields = ((name, getattr(self, name)) for name in ("data", "event", "id", "retry", "comment"))
        return f"ServerSentEvent({', '.join(f'{name}={value!r}' for name, value in fields if value is not None)})"


def lines_of(field: str, value: str) -> str:
    r"""Return a field's lines: one for each of the value's, however those end.

    Args:
        field: what a line begins with, `"data: "` or `": "`.
        value: its text.
    """
    if "\n" in value or "\r" in value:
        value = _NEWLINE.sub(f"\n{field}", value)
    return f"{field}{value}\n"


def _encode(data: object, event: str | None, event_id: str | None, retry: int | None, comment: str | None) -> bytes:
    frame = ""
    if comment is not None:
        frame = lines_of(": ", _text("comment", comment))
    if event is not None:
        frame += f"event: {_line('event', event)}\n"
    if event_id is not None:
        frame += f"id: {_line('id', event_id)}\n"
    if retry is not None:
        frame += f"retry: {_milliseconds(retry)}\n"
    if data is not None:
        frame += lines_of("data: ", _data(data))
    if not frame:
        raise ChunkValueError("ServerSentEvent: expected data, event, id, retry or comment, got none of them")
    if data is not None or event is not None or event_id is not None:
        frame += "\n"  # dispatches it; a comment and a retry act as they are read, and some clients take the line amiss
    try:
        return frame.encode()
    except UnicodeEncodeError as error:
        raise ChunkValueError("ServerSentEvent: expected text, got a lone surrogate") from error


def _data(value: object) -> str:
    text = as_text(value)
    return str.__str__(cast("str", text)) if is_text(type(text)) else dump_json(value).decode()


def _text(name: str, value: object) -> str:
    """Return text as a plain `str`: a subclass of it, an Enum for one, may look different when it is formatted."""
    text = as_text(value)
    if not isinstance(text, str) or not is_text(type(text)):  # a proxy says that it is one
        raise ChunkEncodingError(f"ServerSentEvent.{name}: expected text, got {name_of(type(text))}")
    return str.__str__(text)


def _line(name: str, value: object) -> str:
    text = _text(name, value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise ChunkValueError(f"ServerSentEvent.{name}: expected text without CR, LF and NUL")
    return text


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ChunkEncodingError(f"ServerSentEvent.retry: expected whole milliseconds, got {name_of(type(value))}")
    if value < 0:
        raise ChunkValueError(f"ServerSentEvent.retry: expected 0 or more milliseconds, got {value}")
    return int.__int__(value)


def _is_event(cls: type[Any]) -> bool:
    return issubclass(cls, ServerSentEvent) or any("ServerSentEvent" in base.__name__ for base in cls.__mro__)


is_event: Callable[[type[Any]], bool] = cast("Callable[[type[Any]], bool]", lru_cache(maxsize=1024)(_is_event))
"""Return True if instances are server-sent events: our own, or another library's."""


def event_of(event: Any) -> ServerSentEvent:
    """Return our event for another library's.

    FastAPI sends `data` as JSON, text too, and `raw_data` as it is; the others send text as it is.

    Raises:
        ChunkEncodingError: a field has another type.
        ChunkValueError: it has no field, or one that cannot be sent.
    """
    data: object = getattr(event, "data", None)
    raw: object = getattr(event, "raw_data", None)
    if raw is not None:
        data = raw
    elif hasattr(event, "raw_data") and isinstance(data, str):
        data = dump_json(data).decode()
    elif isinstance(data, bytes):
        data = data.decode()
    event_id: object = getattr(event, "id", None)
    return ServerSentEvent(
        data,
        getattr(event, "event", None),
        str(event_id) if isinstance(event_id, int) else cast("str | None", event_id),
        getattr(event, "retry", None),
        getattr(event, "comment", None),
    )
