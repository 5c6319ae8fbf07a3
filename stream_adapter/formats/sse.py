"""Server-sent events (WHATWG HTML, 9.2)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache, partial
from operator import attrgetter, methodcaller
from types import MappingProxyType
from typing import Any

from stream_adapter._encode import ChunkTable, Encode, kind_of
from stream_adapter._json import dump_json_event, dumper_of
from stream_adapter._limits import check_seconds
from stream_adapter._remedies import name_of
from stream_adapter._request import RequestHead, valid_event_id
from stream_adapter._text import is_late
from stream_adapter.errors import ChunkEncodingError, ChunkValueError
from stream_adapter.types import JSONDumps

from ._base import NO_BUFFERING, PROBLEM, Format, FormatEncoder, problem_of
from ._event import ServerSentEvent, event_of, is_event, lines_of
from ._published import Ending, Opening, Published

__all__ = ["SSE", "ServerSentEvent"]

_encode_event: Encode = attrgetter("encoded")  # which is done already


_encode_published: Encode = methodcaller("sse")

_SPREAD = 2.0  # times the retry is the longest that a client of a broker waits
_FIELDS = ("data:", "event:", "id:", "retry:", ":")
_BLANK_LINES = ("\n\n", "\r\n\r\n", "\r\r")
_FRAMED = "events that are framed already go out with media_type='text/event-stream' and no format"


def _encode_text(text: str) -> bytes:
    if "\n" not in text and "\r" not in text:
        return f"data: {text}\n\n".encode()
    if text.startswith(_FIELDS) and text.endswith(_BLANK_LINES):
        raise ChunkValueError(
            f"sse takes the data of an event, got text that is framed already; {_FRAMED}, and text that"
            " only looks so is sent by ServerSentEvent(text)"
        )
    return f"{lines_of('data: ', text)}\n".encode()


def _encode_late_text(text: object) -> bytes:
    return _encode_text(str(text))


def _encode_text_of_a_subclass(text: str) -> bytes:
    return _encode_text(str.__str__(text))  # it may say of itself what is not in it


def _encode_foreign(event: object) -> bytes:
    return event_of(event).encoded


def _refuse_bytes(value: object) -> bytes:
    raise ChunkEncodingError(f"sse takes ServerSentEvent, text and JSON values, got {name_of(type(value))}; {_FRAMED}")


def _json_by(json_dumps: JSONDumps) -> Encode:
    """Return how a value is encoded by a user's encoder, whose output may have several lines."""
    dump = dumper_of(json_dumps)
    return lambda value: f"{lines_of('data: ', dump(value).decode())}\n".encode()


class SSE(Format):
    """Events: `ServerSentEvent`, text as raw data, anything else as JSON.

    A stream that fails sends one `event: error` with a generic problem (RFC 9457), and then breaks. What `on_error`
    returns takes the problem's place; a ServerSentEvent of its own, that of the whole event.

    Args:
        keepalive: seconds of silence after which a comment is sent; None for never.
        retry: milliseconds for which a client waits before it reconnects; None sends no `retry`.
        end: name and id of an event that a complete stream ends with. A client that reconnects with that id is answered
            204, upon which an EventSource stops.
        json_dumps: encodes what is neither event nor text, as text or UTF-8.

    Raises:
        ValueError: an option has a value that is not allowed.
        TypeError: an option is of the wrong type.
    """

    media_type: str = "text/event-stream"
    headers: Mapping[str, str] = MappingProxyType(
        {"Cache-Control": "no-store, no-transform", **NO_BUFFERING, "X-Content-Type-Options": "nosniff"}
    )
    keepalive: float | None = 15.0
    keepalive_frame: bytes = b":\n"  # without a blank line, which some clients take for an event's end
    commit_after: float | None = 0.25
    send_timeout: float | None = 5.0  # events are small: a client that takes none of them has left

    def __init__(
        self,
        keepalive: float | None = 15.0,
        retry: int | None = 2000,
        *,
        end: str | None = None,
        json_dumps: JSONDumps | None = None,
    ) -> None:
        check_seconds("keepalive", keepalive)
        self.keepalive: float | None = keepalive
        self.end: str | None = _check_end(end)
        self.retry: int | None = retry
        self.prefix: bytes = b"" if retry is None else ServerSentEvent(retry=retry).encoded
        self.suffix: bytes = b"" if end is None else ServerSentEvent("", event=end, id=end).encoded
        self._encode_json: Encode = dump_json_event if json_dumps is None else _json_by(json_dumps)

    def encode(self, item: Any) -> bytes:
        """Encode one event."""
        return self.encode_of(item.__class__)(item)

    def encode_of(self, cls: type[Any]) -> Encode:  # noqa: PLR0911  # a table, in order
        """Return how an item of type `cls` is encoded."""
        if issubclass(cls, ServerSentEvent):
            return _encode_event
        if issubclass(cls, Published):
            return self._encode_opening if issubclass(cls, Opening) else _encode_published
        if is_event(cls):
            return _encode_foreign
        if kind_of(cls) == "bytes":
            return _refuse_bytes
        if is_late(cls):
            return _encode_late_text
        if issubclass(cls, str):
            return _encode_text if cls is str else _encode_text_of_a_subclass
        return self._encode_json

    def _encode_opening(self, item: Opening) -> bytes:
        return _encode_opening(self.retry, self.keepalive_frame, item)

    def encoder(self, *, strict: bool, charset: str) -> FormatEncoder:
        """Make the encoder of one stream; event streams are always UTF-8."""
        del strict, charset
        if self.__class__ is SSE and self.end is None and self._encode_json is dump_json_event:
            return FormatEncoder(self, _shared_table(self.retry, self.keepalive_frame))
        return _EventEncoder(self)

    def is_over(self, head: RequestHead) -> bool:
        """Return True if the client has had the end event: an EventSource reconnects after any end but a 204."""
        return self.end is not None and head.last_event_id == self.end

    def error_item(self, record: object) -> ServerSentEvent:
        """Make it an event that no client takes for one of the source's, without an id, so that resuming works."""
        return record if isinstance(record, ServerSentEvent) else ServerSentEvent(record, event="error")

    def error_record(self) -> bytes:
        """Return the event that says it failed."""
        return self.error_item(PROBLEM).encoded

    def encode_ending(self, ending: Ending) -> bytes:
        """Return the event that says how a run ended, with the id of the end; nothing where `end` says it."""
        if ending.is_failure:
            return ServerSentEvent(problem_of(ending), event="error", id=ending.id).encoded
        if self.end is not None:
            return b""
        return ServerSentEvent({"status": ending.status}, event="stream-end", id=ending.id).encoded


def _encode_opening(retry: int | None, otherwise: bytes, item: Opening) -> bytes:
    """Encode what begins a broker's stream: clients that lose it together do not come back together."""
    spread = "" if retry is None else f"retry: {round(retry * random.uniform(1, _SPREAD))}\n"  # noqa: S311
    return spread.encode() + item.sse() or otherwise


@lru_cache(maxsize=64)
def _shared_table(retry: int | None, keepalive_frame: bytes) -> ChunkTable:
    """Return the table of streams that differ in nothing which their events show, and keep no state in it."""

    def function_of(cls: type[Any]) -> Encode:
        if issubclass(cls, Opening):
            return partial(_encode_opening, retry, keepalive_frame)
        return plain.encode_ending if issubclass(cls, Ending) else plain.encode_of(cls)

    plain = SSE(retry=None)
    return ChunkTable(function_of)


class _EventEncoder(FormatEncoder):
    """The encoder of one stream. What ends a complete stream does not follow a run that failed."""

    __slots__ = ("_failures",)

    def __init__(self, format: SSE) -> None:
        self._failures: list[str] = []
        super().__init__(format, ChunkTable(partial(_function_of, format, self._failures)))

    def finish(self) -> bytes:
        """Return what follows the last item of a stream that is complete."""
        return b"" if self._failures else super().finish()


def _function_of(format: SSE, failures: list[str], cls: type[Any]) -> Encode:
    return partial(_encode_ending, format, failures) if issubclass(cls, Ending) else format.encode_of(cls)


def _encode_ending(format: SSE, failures: list[str], ending: Ending) -> bytes:
    if ending.is_failure:
        failures.append(ending.status)
    return format.encode_ending(ending)


def _check_end(end: object) -> str | None:
    """Return `end` if it can come back as a Last-Event-ID, whose white space at either side gets lost."""
    if end is None:
        return None
    if not isinstance(end, str):
        raise TypeError(f"end: expected text, got {type(end).__name__}")
    if valid_event_id(end) is None or end != end.strip():
        raise ValueError(f"end: expected text without control characters and outer white space, got {end!r}")
    return end
